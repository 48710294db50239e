"""Decides what a program shows: scenes from the state of the call, painted ahead of their time.

A scene is decided live and shown a delay later, so a track that comes into view is asked for before its tile is drawn,
and painting a scene costs neither the event loop nor the media thread anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from egress.call.model import Wants
from egress.media.compositor import DecorMaker, TrackKey
from egress.media.program import Program
from layouts.engine import compose
from layouts.images import ImageSource, NoImages
from layouts.native import NativePainter
from layouts.options import parse_options
from layouts.scene import CallView, Scene, Tile
from layouts.steady import Steady

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which layout, with which options."""

    name: str
    options: Mapping[str, Any]


class Director:
    """Scenes of one program. Event loop only."""

    def __init__(
        self, program: Program, layout: Layout, painting: ThreadPoolExecutor, images: ImageSource | None = None
    ) -> None:
        self._program = program
        self._layout = layout
        self._options = parse_options(layout.name, layout.options)
        self._steady = Steady()
        self._painting = painting
        self._images = images or NoImages()
        self._painted_with = 0
        """Generation of the pictures that the newest scene was painted with."""
        self._decided_at = 0.0
        self._maker: DecorMaker | None = None
        self._scene: Scene | None = None
        self._pending: asyncio.Future[None] | None = None

    @property
    def scene(self) -> Scene | None:
        """What is shown to those who see live."""
        return self._scene

    def update(self, view: CallView, now: float) -> bool:
        """Look at the call; True if something else is to be shown.

        ``now`` is when it was like that (monotonic seconds).
        """
        view = self._steady.view(view, now)
        scene = compose(
            self._layout.name, self._options, self._program.size, view, self._scene, now=now, wall=time.time()
        )
        generation = self._images.generation
        if scene == self._scene:
            if generation == self._painted_with:
                return False
            # A picture has come. It belongs to the scene from its beginning, which may not be shown yet.
            now = self._decided_at
        self._scene, self._decided_at, self._painted_with = scene, now, generation
        self._pending = asyncio.get_running_loop().run_in_executor(self._painting, self._paint, scene, now)
        self._pending.add_done_callback(_log_failure)
        return True

    def _paint(self, scene: Scene, when: float) -> None:
        # On the painting thread, which is one, so scenes arrive in order; Skia is not for several at a time.
        if self._maker is None:
            self._maker = DecorMaker(NativePainter(self._images))
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
