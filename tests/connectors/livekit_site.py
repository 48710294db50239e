"""LiveKit: rooms that are made when the first one joins."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Self

from livekit.protocol import models, rtc

from egress.rtc.ice_settings import IceSettings
from tests.connectors.exact_guests import ExactGuests
from tests.rig import livekit
from tests.rig.guests import Guests, GuestSpec
from tests.rig.livekit import LivekitServer
from tests.rig.livekit_client import Signal

_ROOMS = itertools.count(1)


class LivekitWitness:
    """See :class:`tests.connectors.site.Witness`: a client's signalling, which is all that it learns of people by."""

    def __init__(self, server: LivekitServer, room: str) -> None:
        self._signal = Signal(server.url, server.token("witness", room), auto_subscribe=True)
        self._known: dict[str, tuple[str, str, frozenset[str]]] = {}
        self._own = ""
        self._count = 0
        self.noticed: list[str] = []
        self.recording: bool | None = False

    async def open(self) -> None:
        self._signal.on_message = self._hear
        joined = await self._signal.open()
        self._own = joined.participant.sid
        for one in (joined.participant, *joined.other_participants):
            self._known[one.sid] = _state(one)
        self._look(joined.room)
        # The count is told when it may be told again, which is within some seconds.
        async with asyncio.timeout(10):
            while self._count != len(self._known):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        self.noticed.clear()

    async def present(self) -> list[str]:
        return sorted(self._known)

    async def close(self) -> None:
        await self._signal.close()

    def _hear(self, message: rtc.SignalResponse) -> None:
        match message.WhichOneof("message"):
            case "update":
                for one in message.update.participants:
                    if one.sid == self._own:
                        continue
                    if self._known.get(one.sid) != _state(one):
                        self.noticed.append(f"{one.identity}: {_state(one)}")
                    if one.state == models.ParticipantInfo.DISCONNECTED:
                        self._known.pop(one.sid, None)
                    else:
                        self._known[one.sid] = _state(one)
            case "room_update":
                self._look(message.room_update.room)
            case "speakers_changed":
                self._hear_of(speaker.sid for speaker in message.speakers_changed.speakers)
            case "connection_quality":
                self._hear_of(told.participant_sid for told in message.connection_quality.updates)
            case _:
                pass

    def _look(self, room: models.Room) -> None:
        self.recording = room.active_recording
        if room.num_participants != self._count:
            self._count = room.num_participants
            self.noticed.append(f"{self._count} are counted")

    def _hear_of(self, sids: Iterable[str]) -> None:
        self.noticed += [f"heard of {sid}, who is nobody" for sid in sids if sid not in self._known]


class LivekitRoom(ExactGuests):
    """See :class:`tests.connectors.site.Room`."""

    def __init__(self, server: LivekitServer, name: str, guests: Guests) -> None:
        super().__init__(server.connector(name), guests, muting="mute")
        self._server = server
        self._name = name

    async def restart(self, away: float) -> None:
        await self._server.restart(away)

    @asynccontextmanager
    async def witness(self) -> AsyncIterator[LivekitWitness]:
        witness = LivekitWitness(self._server, self._name)
        await witness.open()
        try:
            yield witness
        finally:
            await witness.close()

    async def rename(self, guest: str, name: str) -> None:
        await self._server.update_participant(self._name, guest, display=name)

    async def describe(self, metadata: str) -> None:
        await self._server.update_room_metadata(self._name, metadata)


class LivekitSite:
    """See :class:`tests.connectors.site.Site`."""

    type = "livekit"
    most_guests = 20
    why_not = staticmethod(livekit.why_not)

    def __init__(self) -> None:
        # The guests hum all the time, softer than what counts as speech by default.
        self._server = LivekitServer(active_level=55)

    @property
    def ice(self) -> IceSettings:
        return IceSettings(networks=[self._server.host_network])

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    @asynccontextmanager
    async def room(self, guests: Sequence[GuestSpec]) -> AsyncIterator[LivekitRoom]:
        name = f"room-{next(_ROOMS)}"
        async with Guests(self._server.call(list(guests), name)) as acting:
            yield LivekitRoom(self._server, name, acting)


def _state(one: models.ParticipantInfo) -> tuple[str, str, frozenset[str]]:
    state = models.ParticipantInfo.State.Name(one.state)
    return state, one.name, frozenset(track.sid for track in one.tracks)
