"""An attendant's way to the engine of its host: segments go there, utterances come back, whatever dies in between.

Segments are kept until they are answered. After a lost connection all that are not are sent again; a segment over which
three engines died is given up. What is kept is bounded in sound and in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egress.speech.contract import SAMPLE_RATE, Failure, Segment, Utterance, UtteranceListener
from egress.speech.wire import WireError, header_of, message, receive, sound_of, utterance_of

log = logging.getLogger(__name__)

PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before connecting again; the last one over and over."""
MOST_TRIES = 3
"""Engines that may die over a segment."""
MOST_SOUND = 900.0
"""Seconds of sound that may wait for answers: 29 MB."""
PATIENCE = 180.0
"""Seconds after which a segment that no engine answered is given up."""
LOOKS = 1.0
"""Seconds between looks for those."""


@dataclass(slots=True)
class _Kept:
    header: dict[str, Any]
    sound: bytes
    since: float
    sent: bool = False
    tries: int = 0

    @property
    def seconds(self) -> float:
        return len(self.sound) / 2 / SAMPLE_RATE


class EngineClient:
    """Event loop only. ``on_utterance`` is called once for each segment, or once for several that were merged."""

    def __init__(
        self,
        socket: Path,
        on_utterance: UtteranceListener,
        *,
        most_sound: float = MOST_SOUND,
        patience: float = PATIENCE,
    ) -> None:
        self._socket = socket
        self._on_utterance = on_utterance
        self._most_sound = most_sound
        self._patience = patience
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._seconds = 0.0
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.hello: dict[str, Any] | None = None
        """What the engine says of itself: model, languages, translates_to; None while there is none."""

    def start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._keep_connected()), asyncio.create_task(self._look())]

    @property
    def waiting(self) -> int:
        """Segments that are not answered yet."""
        return len(self._kept)

    @property
    def connected(self) -> bool:
        return self.hello is not None

    def submit(self, segment: Segment) -> None:
        """Ask for its text. Never waits; where too much waits already, the oldest is given up."""
        kept = _Kept(header_of(segment), sound_of(segment), time.monotonic())
        self._kept[segment.segment_id] = kept
        self._seconds += kept.seconds
        self._idle.clear()
        while self._seconds > self._most_sound and len(self._kept) > 1:
            self._give_up(next(iter(self._kept)), "queue_full", "more was spoken than waits for a speech engine")
        self._news.set()

    async def answered(self, timeout: float) -> bool:
        """Wait until every segment is answered; False when that took longer than ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                # An answer may be what another segment waited for.
                while self._kept:
                    await self._idle.wait()
        return not self._kept

    async def close(self) -> None:
        """Stop asking; what is not answered is told as given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        while self._kept:
            self._give_up(next(iter(self._kept)), "engine_away", "no speech engine answered in time")

    def _forget(self, key: int) -> _Kept | None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._seconds -= kept.seconds
        if not self._kept:
            self._idle.set()
        return kept

    def _give_up(self, key: int, code: str, text: str) -> None:
        kept = self._forget(key)
        if kept is None:
            return
        told = kept.header
        self._tell(Utterance((key,), told["speaker"], told["start"], told["end"], "", "", failure=Failure(code, text)))

    def _tell(self, utterance: Utterance) -> None:
        try:
            self._on_utterance(utterance)
        except Exception:
            log.exception("an utterance could not be taken")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOKS)
            now = time.monotonic()
            for key, kept in list(self._kept.items()):
                if now - kept.since <= self._patience:
                    break
                self._give_up(key, "engine_away", f"no speech engine answered within {self._patience:g} s")

    async def _keep_connected(self) -> None:
        failed = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
            except OSError:
                await asyncio.sleep(PAUSES[min(failed, len(PAUSES) - 1)])
                failed += 1
                continue
            failed = 0
            sending = asyncio.create_task(self._send(writer))
            try:
                await self._receive(reader)
            except (asyncio.IncompleteReadError, OSError):
                log.info("the speech engine is gone")
            except WireError as error:
                log.warning("the speech engine is not understood: %s", error)
            finally:
                self.hello = None
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                writer.close()
                self._lost()
            await asyncio.sleep(PAUSES[0])

    def _lost(self) -> None:
        """Everything is to be sent again; who was being heard by engines that died too often is given up."""
        for key, kept in list(self._kept.items()):
            kept.sent = False
            if kept.header.pop("started", False):
                kept.tries += 1
                kept.header["tries"] = kept.tries
                if kept.tries >= MOST_TRIES:
                    self._give_up(key, "engine_died", f"the speech engine died {kept.tries} times over the segment")

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._news.clear()
                for kept in list(self._kept.values()):
                    if not kept.sent:
                        kept.sent = True
                        writer.write(message(kept.header, kept.sound))
                        await writer.drain()
                await self._news.wait()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            header, _ = await receive(reader)
            match header.get("op"):
                case "hello":
                    self.hello = header
                case "started":
                    for key in header["ids"]:
                        if key in self._kept:
                            self._kept[key].header["started"] = True
                case "said":
                    utterance = utterance_of(header)
                    # Another answer to a segment that was given up meanwhile is of no use to anybody.
                    if any(self._forget(key) is not None for key in list(utterance.segments)):
                        for key in utterance.segments:
                            self._forget(key)
                        self._tell(utterance)
