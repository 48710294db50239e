"""Decides what a program shows: scenes from the state of the call, painted ahead of their time.

A scene is decided live and shown a delay later, so a track that comes into view is asked for before its tile is drawn,
and painting a scene costs neither the event loop nor the media thread anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from egress.call.model import Wants
from egress.easel import Easel, Maker, NativeMaker
from egress.media.program import Program
from egress.media.video_source import TrackKey
from layouts.engine import compose
from layouts.images import NoImages
from layouts.options import parse_options
from layouts.scene import CallView, Scene, Tile
from layouts.steady import Steady


@dataclass(frozen=True, slots=True)
class Layout:
    """Which layout, with which options."""

    name: str
    options: Mapping[str, Any]


class Director:
    """Scenes of one program. Event loop only.

    ``maker`` makes their decor on the one thread of ``painting``. With ``skips``, scenes that come faster than it
    makes them are left out.
    """

    def __init__(
        self,
        program: Program,
        layout: Layout,
        painting: ThreadPoolExecutor,
        maker: Maker | None = None,
        *,
        skips: bool = False,
    ) -> None:
        self._program = program
        self._layout = layout
        self._options = parse_options(layout.name, layout.options)
        self._steady = Steady()
        self._first_look: float | None = None
        self._easel = Easel(program, painting, maker or NativeMaker(NoImages()), skips=skips)
        self._painted_with: int | None = None
        """The easel's generation when the newest scene was given to it; None before it has any."""
        self._decided_at = 0.0
        self._scene: Scene | None = None

    @property
    def scene(self) -> Scene | None:
        """What is shown to those who see live."""
        return self._scene

    def change(self, layout: Layout) -> None:
        """Draw by another layout from the next look at the call on. Raises LayoutError, and goes on as before."""
        self._options = parse_options(layout.name, layout.options)
        self._layout = layout

    def repaint(self, painting: ThreadPoolExecutor, maker: Maker, *, skips: bool) -> None:
        """Have what is shown made otherwise from now on; until it is, what was made stays."""
        self._easel.put_away()
        self._easel = Easel(self._program, painting, maker, skips=skips)
        self._painted_with = None

    def put_away(self) -> None:
        """Nothing more is shown."""
        self._easel.put_away()

    @property
    def ready(self) -> bool:
        """Whether there is something to show."""
        return self._easel.painted is not None

    def update(self, view: CallView, now: float) -> bool:
        """Look at the call; True if something else is to be shown.

        ``now`` is when it was like that (monotonic seconds).
        """
        if self._first_look is None:
            self._first_look = now  # rotations begin with their first page
        view = self._steady.view(view, now)
        scene = compose(
            self._layout.name,
            self._options,
            self._program.size,
            view,
            self._scene,
            now=now - self._first_look,
            wall=time.time(),
        )
        generation = self._easel.generation
        if scene == self._scene and self._painted_with is not None:
            if generation == self._painted_with:
                return False
            # A picture has come. It belongs to the scene from its beginning, which may not be shown yet.
            now = self._decided_at
        self._scene, self._decided_at, self._painted_with = scene, now, generation
        self._easel.paint(scene, now)
        return True

    async def painted(self) -> None:
        """Wait until the newest scene is ready to be shown."""
        await self._easel.done()

    def wishes(self) -> dict[TrackKey, Wants]:
        """How large each visible track is shown."""
        if self._scene is None:
            return {}
        found: dict[TrackKey, Wants] = {}
        for tile in self._tiles(self._scene):
            if tile.source is not None:
                key = (tile.session_id, tile.source)
                found[key] = larger(found.get(key), _wants(tile, self._program.fps))
        return found

    def _tiles(self, scene: Scene) -> Iterator[Tile]:
        """A scene's tiles as they are seen: a painter may have moved them, or found nothing of them to be seen.

        Those whose place is new since the last scene that was painted are where the scene has them.
        """
        if self._easel.painted is None:
            yield from scene.tiles
            return
        before, decor = self._easel.painted
        placed = {(tile.session_id, tile.source): tile.rect for tile in before.tiles}
        seen = {(tile.session_id, tile.source): tile for tile in decor.scene.tiles}
        for tile in scene.tiles:
            key = (tile.session_id, tile.source)
            if placed.get(key) != tile.rect:
                yield tile
            elif key in seen:
                yield seen[key]


def _wants(tile: Tile, fps: int) -> Wants:
    return Wants(tile.rect.width, tile.rect.height, fps)


def larger(a: Wants | None, b: Wants) -> Wants:
    """What satisfies both."""
    if a is None:
        return b
    return Wants(max(a.width, b.width), max(a.height, b.height), max(a.fps, b.fps))
