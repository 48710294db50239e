"""The engine process of a host: loads one model, and answers all attendants over a Unix socket.

``python -m egress.speech.serve --socket PATH --settings JSON``. The socket appears when the model is loaded and warm.
Until then, one line on standard output says ``{"ready": ...}`` or ``{"failed": {"code", "message"}}``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket as sockets
import stat
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from egress.speech.answering import Answering
from egress.speech.contract import EngineSettings, Failure, SpeechError, Utterance
from egress.speech.engine_settings import from_json, to_json
from egress.speech.waiting import Asked, Waiting
from egress.speech.wire import WireError, answer_of, message, receive, segment_of

log = logging.getLogger(__name__)

NICE = 5
"""Recordings must not wait for captions."""
ALONE = 60.0
"""Seconds without anybody connected after which the process ends."""
EXPIRY = 1.0
"""Seconds between looks for what waited too long."""
MOST_UNSENT = 1 << 20
"""Bytes of answers that somebody may leave unread."""
EXIT_FAILED = 3


class Server:
    """Event loop only; inference runs in threads of its own."""

    def __init__(self, settings: EngineSettings, answering: Answering, path: Path) -> None:
        self._settings = settings
        self._answering = answering
        self._path = path
        self._waiting = Waiting(settings.max_waiting, settings.deadline)
        self._news = asyncio.Event()
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._next = 0
        self._running: dict[int, tuple[float, int]] = {}
        """When each worker's inference began, and of how many segments it is."""
        self._retired = False
        self._left = time.monotonic()
        self._server: asyncio.Server | None = None
        self._threads = ThreadPoolExecutor(settings.workers, "inference")
        self.over = asyncio.Event()

    async def open(self) -> None:
        """From now on, who connects is answered."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))
        self._path.chmod(0o600)

    async def run(self) -> None:
        """Serve until told to end, or nobody is left."""
        mine = self._path.stat().st_ino
        tasks = [asyncio.create_task(self._work(number)) for number in range(self._settings.workers)]
        tasks.append(asyncio.create_task(self._expire()))
        over = asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait([over, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._server is not None:
                self._server.close()
            for task in (over, *tasks):
                task.cancel()
            with contextlib.suppress(FileNotFoundError):
                # A successor may have taken the path.
                if self._path.stat().st_ino == mine:
                    self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asker = self._next
        self._next += 1
        peer: sockets.socket = writer.get_extra_info("socket")
        if _peer_uid(peer) not in (os.getuid(), 0):
            writer.close()
            return
        self._writers[asker] = writer
        self._send(asker, self._hello())
        try:
            while True:
                header, sound = await receive(reader)
                if header.get("op") == "retire":
                    # Only the end of the connection says that it was heard.
                    self._retired = True
                    break
                self._take(asker, header, sound)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except WireError as error:
            log.warning("a connection is given up: %s", error)
        finally:
            del self._writers[asker]
            self._waiting.forget(asker)
            self._left = time.monotonic()
            writer.close()
            if self._retired and not self._writers:
                self.over.set()

    def _hello(self) -> dict[str, Any]:
        able = self._answering.capabilities
        return {
            "op": "hello",
            "pid": os.getpid(),
            "settings": to_json(self._settings),
            "engine": self._settings.engine,
            "model": self._settings.model,
            "languages": sorted(able.languages),
            "detects_language": able.detects_language,
            "words": able.words,
            "translates_to": sorted(self._answering.targets),
        }

    def _take(self, asker: int, header: dict[str, Any], sound: bytes) -> None:
        now = time.monotonic()
        match header.get("op"):
            case "transcribe":
                segment = segment_of(header, sound)
                asked = Asked(asker, segment, (segment.segment_id,), now, int(header.get("tries", 0)))
                for late in self._waiting.add(asked, now):
                    self._refuse(late, "queue_full", "more is spoken than the speech engine can follow")
                self._news.set()
            case "ping":
                busy = max(((now - began) / rows for began, rows in self._running.values()), default=0.0)
                self._send(asker, {"op": "pong", "busy": busy, "waiting": len(self._waiting), **self._counts()})
            case "stay":
                self._retired = False
            case other:
                raise WireError(f"the message {other!r} is unknown")

    def _counts(self) -> dict[str, float]:
        counts = self._answering.counts
        return {
            "segments": counts.segments,
            "batches": counts.batches,
            "sound_seconds": counts.sound_seconds,
            "busy_seconds": counts.busy_seconds,
            "merged": self._waiting.merged,
            "oldest": self._waiting.oldest(time.monotonic()),
        }

    def _send(self, asker: Any, header: dict[str, Any]) -> None:
        writer = self._writers.get(asker)
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MOST_UNSENT:
            log.warning("somebody does not read answers and is given up")
            writer.close()
            return
        writer.write(message(header))

    def _refuse(self, asked: Asked, code: str, text: str) -> None:
        segment = asked.segment
        failed = Utterance(asked.ids, segment.speaker, segment.start, segment.end, "", "", failure=Failure(code, text))
        self._send(asked.asker, answer_of(failed))

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY)
            now = time.monotonic()
            for late in self._waiting.expired(now):
                self._refuse(late, "too_late", f"the segment waited for more than {self._settings.deadline:g} s")
            if not self._writers and now - self._left > ALONE:
                log.info("nobody is left")
                self.over.set()

    def _batch_size(self) -> int:
        """How many at once. A processor gains little by it, and the first of them waits for the last."""
        waiting, workers = len(self._waiting), self._settings.workers
        if self._settings.device == "cpu":
            waiting = -(-waiting // (2 * workers))
        return max(1, min(waiting, self._settings.max_batch))

    async def _work(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not len(self._waiting):
                self._news.clear()
                await self._news.wait()
            if self._settings.device != "cpu":
                await asyncio.sleep(self._settings.batch_window)
            batch = self._waiting.take(self._batch_size())
            if not batch:
                continue
            for asked in batch:
                self._send(asked.asker, {"op": "started", "ids": asked.ids})
            self._running[number] = (time.monotonic(), len(batch))
            try:
                said = await loop.run_in_executor(self._threads, self._answering.answer, batch)
            finally:
                del self._running[number]
            for asked, utterance in zip(batch, said, strict=True):
                self._send(asked.asker, answer_of(utterance))


def _peer_uid(peer: sockets.socket) -> int:
    told = peer.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", told)[1])


def checked_place(path: Path) -> None:
    """The folder of the socket is ours alone. Raises SpeechError (``unsafe_folder``)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.parent.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SpeechError(
            "unsafe_folder",
            f"the folder {path.parent} of the engine's socket may be entered by others; make it ours with mode 0700",
        )


async def _main(settings: EngineSettings, answering: Answering, path: Path) -> None:
    server = Server(settings, answering, path)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.over.set)
    await server.open()
    print(json.dumps({"ready": {"pid": os.getpid()}}), flush=True)
    await server.run()
    # At once: neither an inference that hangs nor a connection that stays may keep the process.
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m egress.speech.serve", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="EngineSettings as a JSON object")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = from_json(given.settings)
        checked_place(given.socket)
        os.nice(NICE)
        answering = Answering(settings)
        answering.load()
    except SpeechError as error:
        print(json.dumps({"failed": {"code": error.code, "message": error.message}}), flush=True)
        return EXIT_FAILED
    asyncio.run(_main(settings, answering, given.socket))
    return 0


if __name__ == "__main__":
    sys.exit(main())
