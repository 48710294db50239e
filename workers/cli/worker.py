"""``wallflower worker``: a worker in the foreground, its log on standard error."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from workers.cli.app import CliError, Exit
from workers.observing import logs
from workers.settings import load
from workers.worker import Worker


def run(log_level: str) -> None:
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise CliError(Exit.BAD_INPUT, f"log level {log_level!r} is unknown; known are debug, info, warning, error")
    settings = load()
    logs.configure(settings, level)

    async def serve() -> None:
        worker = Worker(settings)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, worker.stop, settings.agent.drain)
        loop.add_signal_handler(signal.SIGINT, worker.stop, 0.0)
        loop.add_signal_handler(signal.SIGUSR2, worker.hand_over)
        await worker.run()
        if worker.handed_over:
            # Threads may be in the middle of an upload, and would be waited for: whoever comes next goes on with it.
            logging.shutdown()
            sys.stdout.flush()
            os._exit(Exit.OK)

    asyncio.run(serve())
