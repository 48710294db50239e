"""A RabbitMQ of its own: node, port mapper and data."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pika

from tests.rig.servers.server import Server, free_port


def _program() -> str | None:
    """The program itself, not Debian's wrapper, which insists on the system's user and folders."""
    direct = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return str(direct[-1]) if direct else shutil.which("rabbitmq-server")


class RabbitMQ(Server):
    name = "rabbitmq"
    patience = 120.0

    def __init__(self) -> None:
        super().__init__()
        self._dist, self._epmd = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @staticmethod
    def installed() -> bool:
        return _program() is not None

    def command(self) -> list[str]:
        program = _program()
        assert program is not None, "rabbitmq-server is not installed"
        return [program]

    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            **os.environ,
            "HOME": folder,
            "RABBITMQ_NODENAME": f"wallflower{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
        }

    def answers(self) -> bool:
        parameters = pika.URLParameters(self.url)
        parameters.socket_timeout = parameters.stack_timeout = 5
        parameters.connection_attempts = 1
        try:
            pika.BlockingConnection(parameters).close()
            return True
        except (pika.exceptions.AMQPError, OSError):
            return False

    def end(self) -> None:
        super().end()
        # The port mapper detaches itself from the node that started it; this port is ours alone.
        with contextlib.suppress(OSError):
            environment = {**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"}
            command = ["epmd", "-port", str(self._epmd), "-kill"]
            subprocess.run(command, env=environment, check=False, capture_output=True)
