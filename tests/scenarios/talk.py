"""A talk on an SFU as a scenario: guests speak known sentences all at once, and what they need is lost meanwhile.

Losses come in the middle of a sentence, or in the pause behind one, so that what each of them may cost is plain: that
sentence, or none. The engine is the real one with the test model, which knows the words of these sentences and English
alone.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egress.call.loopback.lines import TURN
from tests.rig.door import Door
from tests.rig.engines import kill_engine
from tests.rig.guests import Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.livekit import ROOM, LivekitServer
from tests.rig.livekit_client import Signal
from tests.rig.livekit_subscriber import LivekitSubscriber
from tests.rig.product import Product, moment
from tests.rig.spoken import Sentence, heard, sentences
from tests.scenarios.call import ATTEMPTS
from workers.demo import MODEL

SPEAKERS = [
    GuestSpec("ana", 0, name="Ana", says="guest-1", video=False),
    GuestSpec("ben", 1, says="guest-2", clock_offset=3600.0, video=False),
    GuestSpec("cem", 2, says="guest-3", drift_ppm=100.0, video=False),
]
TONES = GuestSpec("dia", 3, video=False)
"""Hums and beeps, and says nothing."""
EVERYBODY = frozenset(spec.user_id for spec in SPEAKERS)
NOBODY: frozenset[str] = frozenset()
SPEAKING = 0.8
"""Seconds of a turn after which everybody is in the middle of a sentence."""
PAUSE = 0.25
"""Seconds behind a sentence at which it has been heard and is not yet taken for closed."""
RECOGNISED = 2.8
"""Seconds of a turn after which sentences are being closed and made into text."""
CID = "default:talk"


@dataclass(frozen=True, slots=True)
class Loss:
    """Something was lost at a moment (seconds since 1970) that may cost the sentences that some were saying."""

    what: str
    at: float
    guests: frozenset[str]


@dataclass(slots=True)
class Talk:
    """By guest: ``said`` is what was said to its end, ``broken`` what was being said when something was lost, and
    ``captions`` everything that was told of it. ``shown`` is what the room was told as data."""

    said: dict[str, list[Sentence]]
    broken: dict[str, list[Sentence]]
    captions: dict[str, list[Sentence]]
    names: dict[str, str]
    losses: list[Loss]
    events: list[dict[str, Any]]
    shown: list[dict[str, Any]] = field(default_factory=list)


async def talk(sfu: JanusServer | LivekitServer, folder: Path) -> Talk:
    """Let them talk; tried again if the guests were not punctual."""
    for attempt in range(1, ATTEMPTS + 1):
        found, void = await _Talking(sfu).take(folder / f"take{attempt}")
        if void is None:
            return found
        print(f"take {attempt} proves nothing: {void}")
    raise AssertionError(f"the machine is too busy: {void}")


class _Talking:
    """One take."""

    def __init__(self, sfu: JanusServer | LivekitServer) -> None:
        self._sfu = sfu
        self._guests = Guests(sfu.call([*SPEAKERS, TONES]))
        self._losses: list[Loss] = []
        self._devices: dict[str, float] = {}
        """When each device was started (true time); it goes on while its guest is away."""
        self._zero = 0.0
        """When a turn of everybody begins, after captions have begun."""

    async def take(self, folder: Path) -> tuple[Talk, str | None]:
        """The talk, and why it proves nothing."""
        settings = {"speech__model": str(MODEL), "speech__threads": "1"}
        async with AsyncExitStack() as stack:
            product = await stack.enter_async_context(Product(folder, [self._sfu.host_network], **settings))
            guests = await stack.enter_async_context(self._guests)
            door = await stack.enter_async_context(Door(self._address()))
            await guests.everybody("join")
            witness = None
            if isinstance(self._sfu, LivekitServer):
                witness = await stack.enter_async_context(LivekitSubscriber(self._sfu, media=False))
            await asyncio.sleep(1.0)
            code, told = await product.send(
                {"type": "start_closed_captions", "call_cid": CID, "connector": door.address, "egress_id": "said"}
            )
            assert code == 0, told
            began = moment((await product.event("call.closed_captions_started"))["created_at"])
            self._devices = {spec.user_id: _device(guests, spec.user_id) for spec in SPEAKERS}
            ana = self._devices["ana"]
            self._zero = ana + math.ceil((began + 1.0 - ana) / TURN) * TURN
            end = await self._act(product, door)
            code, told = await product.send({"type": "stop_closed_captions", "call_cid": CID})
            assert code == 0, told
            await product.event("call.closed_captions_stopped")
            events = product.events()
            await guests.close()
            said = [] if witness is None else [packet for topic, packet in witness.told if topic == "captions"]
            shown = [json.loads(packet) for packet in said]
        found = self._sorted(end, events)
        found.shown = shown
        return found, guests.void(0.05)

    def _address(self) -> dict[str, Any]:
        address = self._sfu.connector()
        if isinstance(self._sfu, JanusServer):
            # By WebSocket, whose loss ends the session and all that it received.
            return {**address, "url": self._sfu.ws_url}
        return {**address, "tell_room": True, "topic": "captions"}

    async def _act(self, product: Product, door: Door) -> float:
        """Lose one thing after another; returns the end of the last turn that counts."""

        async def rejoin() -> None:
            await self._guests.do("ben", "rejoin")

        async def vanish() -> None:
            await self._guests.do("cem", "vanish")

        async def join() -> None:
            await self._guests.do("cem", "join")

        async def freeze() -> None:
            await self._guests.do("ben", "freeze", seconds=1.2)

        async def kill() -> None:
            kill_engine(product.folder)

        async def cut() -> None:
            before = door.entered
            door.cut()
            async with asyncio.timeout(10):
                while door.entered == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        await self._lose("ben's connection, with a goodbye", 1, SPEAKING, {"ben"}, rejoin)
        await self._lose("cem's connection, without one", 2, self._said("cem", 2) + PAUSE, NOBODY, vanish)
        await self._lose("cem's silence", 3, SPEAKING, {"cem"}, join)
        await self._lose("the engine", 3, RECOGNISED, NOBODY, kill)
        await self._lose("ben's network", 4, SPEAKING, {"ben"}, freeze)
        # LiveKit resumes signalling while media goes on.
        resumed = isinstance(self._sfu, LivekitServer)
        await self._lose("our signalling", 5, SPEAKING, NOBODY if resumed else EVERYBODY, cut)
        if isinstance(self._sfu, LivekitServer):
            await self._lose("our place in the room", 7, SPEAKING, EVERYBODY, self._put_out)
        last = 10 if resumed else 8
        await self._at(last)
        return self._zero + last * TURN

    async def _put_out(self) -> None:
        """Join under our identity, on which LiveKit puts us out."""
        assert isinstance(self._sfu, LivekitServer)
        [ours] = [one for one in await self._sfu.participants(ROOM) if one.identity.startswith("wallflower-")]
        signal = Signal(self._sfu.url, self._sfu.token(ours.identity, ROOM, hidden=True))
        await signal.open()
        await asyncio.wait_for(signal.closed.wait(), 10)
        await signal.close()

    async def _lose(
        self,
        what: str,
        turn: int,
        second: float,
        guests: Set[str],
        lose: Callable[[], Awaitable[None]],
    ) -> None:
        await self._at(turn + second / TURN)
        at = self._now()
        self._losses.append(Loss(what, at, frozenset(guests)))
        await lose()
        print(f"{what} was lost at {at - self._zero:.2f} s and back after {self._now() - at:.2f} s")

    def _said(self, guest: str, turn: int) -> float:
        """Seconds of a turn after which a guest has said their sentence."""
        [says] = [spec.says for spec in SPEAKERS if spec.user_id == guest]
        known = heard(says)
        _, _, ends = known[(round((self._zero - self._devices[guest]) / TURN) + turn) % len(known)]
        return ends

    async def _at(self, turn: float) -> None:
        await asyncio.sleep(max(0.0, self._zero + turn * TURN - self._now()))

    def _now(self) -> float:
        """True time."""
        return time.monotonic() + self._guests.call.epoch

    def _sorted(self, end: float, events: list[dict[str, Any]]) -> Talk:
        """What was said and told from the first turn that counts to the end of the last one."""
        found = Talk({}, {}, {}, {}, self._losses, events)
        for spec in SPEAKERS:
            guest = spec.user_id
            moments = [loss.at for loss in self._losses if guest in loss.guests]
            found.said[guest], found.broken[guest] = [], []
            for one in sentences(spec.says, self._devices[guest], self._zero, end, spec.drift_ppm):
                broken = any(one.start < at < one.end for at in moments)
                (found.broken if broken else found.said)[guest].append(one)
        for event in events:
            if event["type"] == "call.closed_caption":
                caption = event["closed_caption"]
                found.names[caption["speaker_id"]] = caption["user"].get("name")
                text = caption["text"].strip().lower()
                one = Sentence(text, moment(caption["start_time"]), moment(caption["end_time"]))
                if self._zero <= one.start < end:
                    found.captions.setdefault(caption["speaker_id"], []).append(one)
        return found


def _device(guests: Guests, guest: str) -> float:
    """When a guest's device was started (true time), by a second that it told."""
    mark = next(e for e in guests.events if e["guest"] == guest and e["event"] == "beep")
    return float(mark["true"]) - float(mark["second"])
