"""Decides what a program shows: scenes from the state of the call, painted ahead of their time.

A scene is decided live and shown a delay later, so a track that comes into view is asked for before its tile is drawn,
and painting a scene costs neither the event loop nor the media thread anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from egress.call.model import Wants
from egress.media.compositor import DecorMaker
from egress.media.mixer import NOBODY
from egress.media.program import Program
from egress.media.video_source import TrackKey
from layouts.engine import compose
from layouts.native import NativePainter
from layouts.options import parse_options
from layouts.scene import CallView, Scene, Tile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which layout, with which options."""

    name: str
    options: Mapping[str, Any]


class Director:
    """Scenes of one program, and whom it hears. One without a picture only hears. Event loop only."""

    def __init__(self, program: Program, layout: Layout, painting: ThreadPoolExecutor) -> None:
        self._program = program
        self._layout = layout
        self._options = parse_options(layout.name, layout.options)
        self._painting = painting
        self._unheard: frozenset[str] = NOBODY
        self._maker: DecorMaker | None = None
        self._scene: Scene | None = None
        self._pending: asyncio.Future[None] | None = None

    @property
    def scene(self) -> Scene | None:
        """What is shown to those who see live."""
        return self._scene

    def change(self, layout: Layout) -> None:
        """Draw by another layout from the next look at the call on. Raises LayoutError, and goes on as before."""
        self._options = parse_options(layout.name, layout.options)
        self._layout = layout

    def update(self, view: CallView, now: float) -> bool:
        """Look at the call; True if the scene changed. ``now`` is when it was like that (monotonic seconds)."""
        self._listen(view, now)
        if not self._program.size[0]:
            return False
        scene = compose(self._layout.name, self._options, self._program.size, view, self._scene)
        if scene == self._scene:
            return False
        self._scene = scene
        self._pending = asyncio.get_running_loop().run_in_executor(self._painting, self._paint, scene, now)
        self._pending.add_done_callback(_log_failure)
        return True

    def _listen(self, view: CallView, now: float) -> None:
        unheard = frozenset(guest.session_id for guest in view.participants) - _heard(view)
        if unheard != self._unheard:
            self._unheard = unheard
            self._program.leave_out(now, unheard)

    def _paint(self, scene: Scene, when: float) -> None:
        # On the painting thread, which is one, so scenes arrive in order; Skia is not for several at a time.
        if self._maker is None:
            self._maker = DecorMaker(NativePainter())
        self._program.schedule(when, self._maker.make(scene))

    async def painted(self) -> None:
        """Wait until the newest scene is ready to be shown."""
        if self._pending is not None:
            await asyncio.wait([self._pending])

    def wishes(self) -> dict[TrackKey, Wants]:
        """How large each visible track is shown."""
        if self._scene is None:
            return {}
        found: dict[TrackKey, Wants] = {}
        for tile in self._scene.tiles:
            if tile.source is not None:
                key = (tile.session_id, tile.source)
                found[key] = larger(found.get(key), _wants(tile, self._program.fps))
        return found


def _heard(view: CallView) -> frozenset[str]:
    return frozenset(guest.session_id for guest in view.participants)


def _wants(tile: Tile, fps: int) -> Wants:
    return Wants(tile.rect.width, tile.rect.height, fps)


def larger(a: Wants | None, b: Wants) -> Wants:
    """What satisfies both."""
    if a is None:
        return b
    return Wants(max(a.width, b.width), max(a.height, b.height), max(a.fps, b.fps))


def _log_failure(painted: asyncio.Future[None]) -> None:
    if not painted.cancelled() and painted.exception() is not None:
        log.error("a scene could not be painted; the one before stays", exc_info=painted.exception())
