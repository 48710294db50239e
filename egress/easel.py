"""Paints the scenes of one program ahead of their time, on a thread that may wait."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from egress.media.compositor import Decor, DecorMaker
from egress.media.program import Program
from layouts.images import ImageSource
from layouts.native import NativePainter
from layouts.scene import Scene

log = logging.getLogger(__name__)


class Maker(Protocol):
    """Turns scenes into decor, on one thread."""

    @property
    def generation(self) -> int:
        """Another number whenever a scene that was made may look different now. For any thread."""
        ...

    def make(self, scene: Scene) -> Decor: ...


class NativeMaker:
    """Makes decor of scenes as they are, with pictures from ``images``."""

    def __init__(self, images: ImageSource) -> None:
        self._images = images
        self._maker: DecorMaker | None = None

    @property
    def generation(self) -> int:
        return self._images.generation

    def make(self, scene: Scene) -> Decor:
        if self._maker is None:
            self._maker = DecorMaker(NativePainter(self._images))
        return self._maker.make(scene)


class Easel:
    """Scenes in order, each to be shown from its own time on. Event loop only.

    With ``skips``, scenes that come faster than they can be painted are left out when another one has followed.
    """

    def __init__(self, program: Program, painting: ThreadPoolExecutor, maker: Maker, *, skips: bool) -> None:
        self._program = program
        self._painting = painting
        self._maker = maker
        self._skips = skips
        self._waiting: deque[tuple[Scene, float]] = deque()
        self._pending: asyncio.Future[None] | None = None
        self._painted: tuple[Scene, Decor] | None = None
        self._over = False

    @property
    def generation(self) -> int:
        """Another number whenever a scene that was painted may look different now."""
        return self._maker.generation

    @property
    def painted(self) -> tuple[Scene, Decor] | None:
        """The newest scene that is painted, and what became of it."""
        return self._painted

    def paint(self, scene: Scene, when: float) -> None:
        """Have a scene painted, to be shown from ``when`` (monotonic seconds) on."""
        self._waiting.append((scene, when))
        self._pending = asyncio.get_running_loop().run_in_executor(self._painting, self._paint)
        self._pending.add_done_callback(_log_failure)

    def put_away(self) -> None:
        """Show nothing more, not even what is being painted."""
        self._over = True

    async def done(self) -> None:
        """Wait until the newest scene is ready to be shown."""
        if self._pending is not None:
            await asyncio.wait([self._pending])

    def _paint(self) -> None:
        # On the painting thread, of which there is one, so scenes arrive in order; Skia is not for several at a time.
        scene, when = self._waiting.popleft()
        if self._over or (self._skips and self._waiting):
            return
        decor = self._maker.make(scene)
        if self._over:
            return
        self._painted = (scene, decor)
        self._program.schedule(when, decor)


def _log_failure(painted: asyncio.Future[None]) -> None:
    if not painted.cancelled() and painted.exception() is not None:
        log.error("a scene could not be painted; the one before stays", exc_info=painted.exception())
