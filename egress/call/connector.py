"""What every connector to an SFU offers: two faces, and one registry in which a connector names itself.

``watch`` asks the SFU's API who is there: no media, no participant, cheap. ``attend`` joins as a hidden participant:
call events come out as an async stream, wishes about tracks go back in. Adding a connector means one module that
calls :func:`register`, and an entry point in the group ``wallflower.connectors`` when it lives elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

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


class Connector(Protocol):
    """A kind of SFU. ``Address`` is the pydantic model of the message's ``connector`` object, ``type`` included."""

    type: str
    Address: AddressModel

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room now (without us). Raises ConnectorError, or OSError when the SFU is away."""
        ...

    def attend(self, address: Any, attending: Attending) -> Attendance: ...

    # One that can look into many rooms more cheaply has ``watcher() -> Watcher``, too.


BUILT_IN = {
    "janus": "egress.call.janus",
    "loopback": "egress.call.loopback",
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
