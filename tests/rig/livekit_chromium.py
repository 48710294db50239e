"""Real browsers as guests on LiveKit: Debian's Chromium with LiveKit's own client, npm's ``livekit-client``.

``async with LivekitChromium(server) as chromium`` starts one browser; ``await chromium.guest("ana", 0)`` opens a page
in it and joins. What a page sees of the room, it tells: :meth:`LivekitChromiumGuest.room`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from playwright.async_api import Page

from tests.rig import chromium, npm
from tests.rig.chromium import MEDIA, Browser, PageGuest
from tests.rig.livekit import ROOM, LivekitServer

Codec = Literal["vp8", "h264", "vp9", "av1"]
_PAGE = Path(__file__).with_name("livekit_page")


def why_not() -> str | None:
    """One line on why there are no such guests here, or None."""
    return chromium.why_not() or npm.why_not(_PAGE)


@dataclass(frozen=True, slots=True)
class Stream:
    """One RTP stream as the browser counts it."""

    kind: Literal["audio", "video"]
    rid: str
    """The layer, where there are several: ``q``, ``h``, ``f``."""
    codec: str
    """For example ``video/vp8``; empty until something flowed."""
    packets: int
    frames: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What the browser sent: streams by source (``camera``, ``microphone``, ``screen_share``, ``screen_share_audio``);
    how many pictures were drawn and skipped; by how many seconds its sound fell behind the wall clock."""

    tracks: dict[str, list[Stream]]
    drawn: int
    skipped: int
    late: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the guest's client saw of the room since it joined, each list in order."""

    participants: list[str]
    """Identities of the others who are there now."""
    joined: list[str]
    """Identities of those who came after this guest."""
    left: list[str]
    counts: list[dict[str, int]]
    """Each change of the number of participants: as the server ``told`` it, and as they were ``present``."""
    isRecording: bool
    recording: list[bool]
    """Each change of ``isRecording``."""
    speakers: list[list[str]]
    """Each change of the active speakers."""
    data: list[dict[str, str]]
    """``topic``, ``payload`` and ``from`` of each packet of data; from nobody when the server sent it."""
    metadata: list[str]
    """Each change of the room's metadata."""
    state: str
    states: list[str]
    """Each change of the connection's state."""


class LivekitChromiumGuest(PageGuest):
    """A guest on LiveKit."""

    def __init__(self, page: Page, user_id: str, token: str) -> None:
        super().__init__(page, user_id)
        self._token = token

    async def join(self) -> str:
        """Join and publish; returns the participant's sid."""
        return str(await self._page.evaluate("token => guest.join(token)", self._token))

    async def rejoin(self, away: float = 0.0) -> str:
        await self.leave()
        await asyncio.sleep(away)
        return await self.join()

    async def camera(self, on: bool, how: Literal["mute", "remove"] = "remove") -> None:
        """``remove`` unpublishes, ``mute`` tells that it is muted and sends black pictures now and then."""
        await self._page.evaluate("([on, how]) => guest.camera(on, how)", [on, how])

    async def mute(self, on: bool, how: Literal["mute", "remove"] = "mute") -> None:
        await self._page.evaluate("([on, how]) => guest.mute(on, how)", [on, how])

    async def screen(self, on: bool, sound: bool = False) -> None:
        """Share a screen of 1280x720, or stop. ``sound`` beeps as identity + 8 would."""
        await self._page.evaluate("([on, sound]) => guest.screen(on, sound)", [on, sound])

    async def say(self, text: str, topic: str = "") -> None:
        """Send reliable data to everybody."""
        await self._page.evaluate("([text, topic]) => guest.say(text, topic)", [text, topic])

    async def sent(self) -> Sent:
        told: dict[str, Any] = await self._page.evaluate("guest.sent()")
        tracks = {source: [Stream(**one) for one in streams] for source, streams in told.pop("tracks").items()}
        return Sent(tracks, **told)

    async def received(self) -> dict[tuple[str, str], Stream]:
        """What a guest that subscribes receives, by identity and source."""
        told: list[dict[str, Any]] = await self._page.evaluate("guest.received()")
        return {(one.pop("identity"), one.pop("source")): Stream(**one) for one in told}

    async def room(self) -> Seen:
        """What the client saw of the room. After :meth:`join`."""
        return Seen(**await self._page.evaluate("guest.seen()"))


class LivekitChromium(Browser):
    """A browser with guests on LiveKit."""

    def __init__(self, server: LivekitServer, room: str = ROOM) -> None:
        super().__init__()
        self._livekit = server
        self._room = room
        self._client = Path()

    async def __aenter__(self) -> Self:
        modules = await asyncio.to_thread(npm.modules, _PAGE)
        self._client = modules / "livekit-client" / "dist" / "livekit-client.umd.js"
        return await super().__aenter__()

    async def guest(
        self,
        user_id: str,
        identity: int,
        name: str | None = None,
        size: tuple[int, int] = (640, 360),
        join: bool = True,
        *,
        video: bool = True,
        audio: bool = True,
        simulcast: bool = True,
        codec: Codec = "vp8",
        backup_codec: bool = True,
        dtx: bool = True,
        red: bool = True,
        subscribe: bool = False,
        dynacast: bool = False,
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        **grants: Any,
    ) -> LivekitChromiumGuest:
        """Open a page for a guest, and let it join.

        The client's own defaults hold but for two: it does not subscribe, because to decode everybody is too much for
        the machines that tests run on, and it does not stop layers that nobody wants. ``grants`` are those of
        :func:`tests.rig.livekit_token.token`.
        """
        spec = {
            "url": self._livekit.url,
            "video": video,
            "audio": audio,
            "simulcast": simulcast,
            "codec": codec,
            "backup_codec": backup_codec,
            "dtx": dtx,
            "red": red,
            "subscribe": subscribe,
            "dynacast": dynacast,
        }
        token = self._livekit.token(
            user_id, self._room, name=name or user_id, metadata=metadata, attributes=attributes, **grants
        )
        made = LivekitChromiumGuest(await self._open(identity, size, spec), user_id, token)
        if join:
            await made.join()
        return made

    def _files(self) -> dict[str, Path]:
        return {"/": _PAGE / "page.html", "/media.js": MEDIA, "/livekit-client.js": self._client}
