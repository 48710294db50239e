"""A Redis that keeps what it has confirmed, also through kill -9."""

from __future__ import annotations

import shutil

import redis

from tests.rig.servers.server import Server


class Redis(Server):
    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @staticmethod
    def installed() -> bool:
        return shutil.which("redis-server") is not None

    def command(self) -> list[str]:
        # Every write is on the disk before it is confirmed: `everysec` may put a write off while the disk is slow.
        keep = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *keep]

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            # It is refused with LOADING until its data are read.
            client.get("anything")
            return True
        except redis.RedisError:
            return False
        finally:
            client.close()
