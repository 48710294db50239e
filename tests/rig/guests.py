"""Exact guests: what they are, and the process they live in as a test sees it.

A guest has an identity (its colour and its tones), a picture that flashes and a sound that beeps on each whole second
of true time, and a device clock that may be wrong. ``async with Guests(call) as guests`` starts them;
``await guests.do("ana", "join")`` makes them act. Actions: ``join``, ``leave``, ``rejoin``, ``vanish``,
``camera(on, how)``, ``mute(on, how)``, ``speak(on)``, ``screen(on)``, ``freeze(seconds)``, ``resize(width, height)``
and, on Janus, ``rename(name)``, each explained in :class:`tests.rig.guest.Guest`,
:class:`~tests.rig.janus_guest.JanusGuest` and
:class:`~tests.rig.livekit_guest.LivekitGuest`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.rig.clocks import epoch_offset

LATE_LIMIT = 0.015
"""A run whose generator sent later than this (99th percentile, seconds) proves nothing."""


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """One guest. ``identity`` 0 to 7 is its colour and tones; no two in a call share one."""

    user_id: str
    identity: int
    name: str = ""
    roles: tuple[str, ...] = ()
    width: int = 640
    height: int = 360
    codec: Literal["vp8", "h264"] = "vp8"
    bitrate: int = 600_000
    detail: int = 0
    other_sizes: tuple[tuple[int, int], ...] = ()
    """Sizes the camera may change to in the course of the call, as wide as 16:9 for the judge's sake."""
    layers: tuple[tuple[int, int, int], ...] = ()
    """Simulcast: up to three times width, height and bits a second, in place of width, height, bitrate."""
    dtx: bool = False
    """Send next to nothing while muted by silence, as Opus does with discontinuous transmission."""
    says: str = ""
    """Speak the sentences of this guest of the loopback call in place of tones: one every three seconds of the device,
    a fifth of a second after their beginning. Or play a file of Opus packets of 20 ms, given by its path, in a loop."""
    video: bool = True
    audio: bool = True
    screen: tuple[int, int] | None = None
    """Size of the screen this guest may share in the course of the call."""
    clock_offset: float = 0.0
    clock_step_after: float | None = None
    clock_step: float = 0.0
    drift_ppm: float = 0.0
    plain_display: bool = False
    """Show the bare name as ``display`` instead of a JSON object."""
    comes_back: bool = True
    """Join again when the server goes away, as a browser's page would."""
    attributes: dict[str, str] = field(default_factory=dict)
    """LiveKit's attributes of the participant."""
    metadata: str | None = None
    """LiveKit's metadata of the participant; None: a JSON object with the roles, if there are any."""

    @property
    def display(self) -> str:
        name = self.name or self.user_id
        if self.plain_display:
            return name
        return json.dumps({"user_id": self.user_id, "name": name, "roles": list(self.roles)})

    @property
    def livekit_metadata(self) -> str:
        if self.metadata is None and self.roles:
            return json.dumps({"roles": list(self.roles)})
        return self.metadata or ""


def spec_of(told: Mapping[str, Any]) -> GuestSpec:
    """A guest from what ``dataclasses.asdict`` and JSON made of it."""
    lists = {name: tuple(map(tuple, told.get(name, ()))) for name in ("other_sizes", "layers")}
    return GuestSpec(**{**told, **lists, "roles": tuple(told.get("roles", ()))})


@dataclass(frozen=True, slots=True)
class Call:
    """Where guests go and who they are."""

    url: str
    """The server's WebSocket."""
    room: int | str
    host_address: str
    """The only local address offered to ICE."""
    guests: list[GuestSpec]
    timeline: list[dict[str, Any]] = field(default_factory=list)
    kind: Literal["janus", "livekit"] = "janus"
    api_key: str = ""
    api_secret: str = ""
    """With which guests make their tokens (LiveKit)."""
    epoch: float = field(default_factory=epoch_offset)


class Guests:
    """The guests' process. ``events`` is everything it told, in order; times in it are true (Unix) time."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.events: list[dict[str, Any]] = []
        self.summary: dict[str, Any] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._numbers = itertools.count(1)
        self._ready = asyncio.Event()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="wf-guests-")
        spec = Path(self._folder.name) / "spec.json"
        spec.write_text(json.dumps(asdict(self.call)))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.rig.guest_process",
            str(spec),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            limit=1 << 20,
        )
        self._reading = asyncio.create_task(self._read())
        await asyncio.wait_for(self._ready.wait(), 60)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def do(self, guest: str, action: str, timeout: float = 20.0, **options: Any) -> None:
        """Let a guest act and wait until it has. Raises RuntimeError with what went wrong."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        command = {"id": number, "guest": guest, "do": action, **options}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        await asyncio.wait_for(answer, timeout)

    async def everybody(self, action: str, **options: Any) -> None:
        await asyncio.gather(*(self.do(spec.user_id, action, **options) for spec in self.call.guests))

    async def close(self) -> dict[str, Any]:
        """Let all leave, and return the summary: punctuality and key frame requests per guest, wall and CPU seconds,
        and how many cores that was."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with contextlib.suppress(ConnectionError):
                process.stdin.write(b'{"do": "end"}\n')
                await process.stdin.drain()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
            process.stdin.close()
            assert self._reading is not None
            await self._reading
            assert self._folder is not None
            self._folder.cleanup()
        if self.summary is None:
            raise RuntimeError("the guests' process ended without a word")
        return self.summary

    def marks(self, guest: str, mark: Literal["flash", "beep"]) -> list[float]:
        """True times of the flashes or beeps that were really sent."""
        return [e["true"] for e in self.events if e["guest"] == guest and e["event"] == mark]

    def void(self, limit: float = LATE_LIMIT) -> str | None:
        """Why the run proves nothing, or None. After :meth:`close`."""
        assert self.summary is not None
        late = [
            f"{guest}'s {kind} left {told[kind]['p99_ms']} ms late (p99)"
            for guest, told in self.summary["guests"].items()
            for kind in ("video", "audio", "screen", "screen_audio")
            if told[kind]["p99_ms"] > limit * 1000
        ]
        return "; ".join(late) or None

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self._ready.set()
            elif event["event"] == "summary":
                self.summary = {key: event[key] for key in ("wall", "cpu", "cores", "guests")}
            elif event["event"] == "done":
                answer = self._answers.pop(event["id"] or 0, None)
                if answer is not None and not answer.done():
                    if event["error"]:
                        answer.set_exception(
                            RuntimeError(f"{event['guest']} could not {event['do']}: {event['error']}")
                        )
                    else:
                        answer.set_result(None)
            self.events.append(event)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(RuntimeError("the guests' process ended"))
