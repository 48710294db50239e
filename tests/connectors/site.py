"""What the battery needs of a kind of SFU: its server, guests who act in its rooms, and what their clients see."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, Self

from egress.rtc.ice_settings import IceSettings
from tests.rig.guests import GuestSpec

Source = Literal["voice", "camera"]


class Witness(Protocol):
    """The client of a guest who publishes nothing and looks."""

    noticed: list[str]
    """A line for each thing that it was told of people since it came: who joined, changed, left; how many they are."""
    recording: bool | None
    """Whether its sign of recording is lit; None where clients have no such sign."""

    async def present(self) -> list[str]:
        """Who is in the room as far as guests may know, the witness included; sorted, however they are named."""
        ...


class Room(Protocol):
    """A room with guests who act when they are told to. Each action returns when the server has taken it."""

    address: dict[str, Any]
    """The room as a message names it. Its ``url`` has a host and a port."""

    async def join(self, guest: str) -> None:
        """Come in, or in again, and publish voice and camera."""
        ...

    async def leave(self, guest: str) -> None: ...

    async def mute(self, guest: str, source: Source, muted: bool) -> None:
        """As the mute button of a client does it: the track stays published."""
        ...

    async def freeze(self, guest: str, seconds: float) -> None:
        """The network of the guest's media is dead for so long; returns when it lives again."""
        ...

    async def resize(self, guest: str, width: int, height: int) -> None:
        """Another camera, in the same track."""
        ...

    async def restart(self, away: float) -> None:
        """Kill the server and start it again after so many seconds; this room is there then, and guests come back."""
        ...

    def void(self, limit: float) -> str | None:
        """Why what was seen proves nothing, when guests sent later than so many seconds; asked after all have gone."""
        ...

    def witness(self) -> AbstractAsyncContextManager[Witness]: ...

    # Some have more, by the connector's abilities:
    # - ``publish(guest, published: bool)``, with ``renegotiated_tracks``: take the camera back, or publish it again.
    # - ``screen(guest, shared: bool)``, with ``screen_share``: share a screen, with its sound, or stop.
    # - ``rename(guest, name)``, with ``names_change``.
    # - ``describe(metadata)``, with ``room_metadata``: say something of the room as a whole.


class Site(Protocol):
    """A running server of one kind, or whatever else rooms of that kind live in.

    Guests are called ``guest-1`` to ``guest-20``; the connector must tell these as their user ids.
    """

    type: str
    """The connector's."""
    ice: IceSettings
    """With these an attendant reaches the server."""
    most_guests: int
    """As many fit into a room; 20 is enough."""

    @staticmethod
    def why_not() -> str | None:
        """One line on why it cannot be had here, or None."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def room(self, guests: Sequence[GuestSpec]) -> AbstractAsyncContextManager[Room]:
        """A new room and the guests who may come into it; none of them has."""
        ...
