"""``wallflower worker``: a worker in the foreground, its log on standard error."""

from __future__ import annotations

import asyncio
import logging
import signal

from workers.cli.app import CliError, Exit
from workers.settings import load
from workers.worker import Worker


def run(log_level: str) -> None:
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise CliError(Exit.BAD_INPUT, f"log level {log_level!r} is unknown; known are debug, info, warning, error")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("alembic", "pika"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    settings = load()

    async def serve() -> None:
        worker = Worker(settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await worker.run()

    asyncio.run(serve())
