"""Paints the scenes of one program ahead of their time, on a thread that may wait."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from egress.media.compositor import Decor, DecorMaker
from layouts.native import NativePainter
from layouts.scene import Scene

log = logging.getLogger(__name__)


class Maker(Protocol):
    """Turns scenes into decor, on one thread."""

    def make(self, scene: Scene) -> Decor: ...


def native() -> Maker:
    """The maker for layouts that no style sheet changes. To be called on the thread that paints."""
    return DecorMaker(NativePainter())


class Easel:
    """Scenes in order, each to be shown from its own time on. Event loop only.

    With ``skips``, scenes that come faster than they can be painted are left out when another one has followed.
    """

    def __init__(
        self,
        schedule: Callable[[float, Decor], None],
        painting: ThreadPoolExecutor,
        maker: Callable[[], Maker] = native,
        *,
        skips: bool = False,
    ) -> None:
        self._schedule = schedule
        self._painting = painting
        self._make_maker = maker
        self._maker: Maker | None = None
        self._skips = skips
        self._waiting: deque[tuple[Scene, float]] = deque()
        self._pending: asyncio.Future[None] | None = None
        self._painted: tuple[Scene, Decor] | None = None

    @property
    def painted(self) -> tuple[Scene, Decor] | None:
        """The newest scene that is painted, and what became of it."""
        return self._painted

    def paint(self, scene: Scene, when: float) -> None:
        """Have a scene painted, to be shown from ``when`` (monotonic seconds) on."""
        self._waiting.append((scene, when))
        self._pending = asyncio.get_running_loop().run_in_executor(self._painting, self._paint)
        self._pending.add_done_callback(_log_failure)

    async def done(self) -> None:
        """Wait until the newest scene is ready to be shown."""
        if self._pending is not None:
            await asyncio.wait([self._pending])

    def _paint(self) -> None:
        # On a painting thread, of which there is one, so scenes arrive in order.
        scene, when = self._waiting.popleft()
        if self._skips and self._waiting:
            return
        if self._maker is None:
            self._maker = self._make_maker()
        decor = self._maker.make(scene)
        self._painted = (scene, decor)
        self._schedule(when, decor)


def _log_failure(painted: asyncio.Future[None]) -> None:
    if not painted.cancelled() and painted.exception() is not None:
        log.error("a scene could not be painted; the one before stays", exc_info=painted.exception())
