"""What every connector to an SFU offers: two faces, what it can do, and one registry of names.

``watch`` asks the SFU's API who is there: no media, no participant, cheap. ``attend`` joins as a hidden participant:
call events come out as an async stream, wishes about tracks go back in. A connector that lives elsewhere is an entry
point in the group ``wallflower.connectors``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from egress.call.model import CallEvent, Participant, TrackType, Wants
from egress.rtc.ice_settings import IceSettings


class ConnectorError(Exception):
    """The room cannot be attended, and trying again would not help. The text is one sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Attending:
    """What a connector gets from its attendant beside the address."""

    call_cid: str
    ice: IceSettings
    delay: float = 1.0
    """Seconds that the call is composed behind live: how long a lost packet is worth waiting for."""
    recording: bool = True
    """Whether anything of the call is recorded, as opposed to merely looked at or written down as text."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a connector can do. The table in docs/connectors.md is made from it."""

    participants_told: bool = False
    """Who joins and leaves is told at once; else it is asked again and again."""
    names_change: bool = False
    """Name, roles and image may change during the call."""
    screen_share: bool = False
    screen_share_audio: bool = False
    renegotiated_tracks: bool = False
    """A track that begins or ends in the middle of the call is noticed."""
    muted_told: bool = False
    """A track that is published and muted is told as such."""
    speakers: Literal["rtp levels", "told"] = "told"
    """Who speaks: by audio levels in RTP (RFC 6464), or by ``Speaking``."""
    pause: bool = False
    """A track that nobody wants is not sent to us."""
    layers: bool = False
    """A smaller picture for a smaller tile, where the publisher sends simulcast."""
    resume: bool = False
    """Lost signalling is taken up again as the same participant, while media goes on."""
    connection_quality: bool = False
    """How well each participant is connected is told."""
    room_metadata: bool = False
    """What is said of the room as a whole is told."""
    tell_room: bool = False
    """Messages to the clients in the room, without a right to publish; then there is ``teller``."""


ROOM_GONE = "room_not_found"
"""The code with which ``watch`` says that there is no such room (any more): its session is over."""

AddressModel = type[BaseModel]


class Attendance(Protocol):
    """A hidden participant in a room."""

    def events(self) -> AsyncIterator[CallEvent]:
        """Join and tell what happens, until :class:`~egress.call.model.Ended` or :meth:`close`.

        Raises ConnectorError when the room refuses us for good. An SFU that is away is not an error:
        ``Disconnected`` is told and joining is tried again for as long as the caller listens.
        """
        ...

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        """Say how large a track is needed, or None for not at all. Never blocks; the latest wish counts."""
        ...

    async def close(self) -> None:
        """Leave. Safe to call twice, and when joining never succeeded."""
        ...


class Watcher(Protocol):
    """Looks into many rooms, again and again. It may keep connections to servers between two looks."""

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room now (without us). Raises ConnectorError, or OSError when the SFU is away."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class RoomTeller(Protocol):
    """Tells the clients in a room, as reliable data, what is going on."""

    async def tell(self, message: bytes, topic: str, to: Sequence[str] = ()) -> None:
        """Send it to the users with these ids; to everybody in the room when none is named.

        Raises ConnectorError when we may not, OSError when the SFU is away.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Connector(Protocol):
    """A kind of SFU. ``Address`` is the pydantic model of the message's ``connector`` object, ``type`` included."""

    type: str
    Address: AddressModel
    abilities: Abilities

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room now (without us). Raises ConnectorError, or OSError when the SFU is away."""
        ...

    def attend(self, address: Any, attending: Attending) -> Attendance: ...

    # Some have more:
    # - ``watcher() -> Watcher``: it can look into many rooms more cheaply than by ``watch``.
    # - ``teller(address) -> RoomTeller | None``, with the ability ``tell_room``; None when the address does not ask.
    # - ``page_pass(address, identity) -> tuple[str, str] | None``: where the server is, and a token with which a page
    #   joins the room, hidden and as a recorder; None when the address does not hold what makes one.
    # - ``check(project) -> str``, a coroutine: asks the server that a project of the settings names whether it takes
    #   what the project says, and tells what it found. Raises ConnectorError, or OSError when the SFU is away.


BUILT_IN = {
    "janus": "egress.call.janus",
    "livekit": "egress.call.livekit",
    "loopback": "egress.call.loopback",
    "page": "egress.call.page",
}


def connector_types() -> list[str]:
    """The names that ``connector.type`` may have, built-in ones first."""
    return [*BUILT_IN, *sorted(e.name for e in entry_points(group="wallflower.connectors"))]


def connector(type_: str) -> Connector:
    """The connector of that name, imported on first use. Raises ConnectorError naming the known ones."""
    found: Connector
    if type_ in BUILT_IN:
        found = import_module(BUILT_IN[type_]).CONNECTOR
        return found
    for entry in entry_points(group="wallflower.connectors"):
        if entry.name == type_:
            found = entry.load()
            return found
    raise ConnectorError(
        "unknown_connector",
        f"connector.type {type_!r} is unknown; known are {', '.join(connector_types())}",
    )


class _OneByOne:
    """Looks by a connector's ``watch`` alone."""

    def __init__(self, of: Connector) -> None:
        self.watch = of.watch

    async def close(self) -> None:
        """Nothing is kept."""


def watcher(type_: str) -> Watcher:
    """What looks into rooms of that connector: its own watcher, or its ``watch`` each time. Raises ConnectorError."""
    found = connector(type_)
    own: Callable[[], Watcher] | None = getattr(found, "watcher", None)
    return _OneByOne(found) if own is None else own()
