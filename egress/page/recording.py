"""A recording of a web page: a program whose picture is what the page shows and whose sound is what it plays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from egress import logs
from egress.atelier import Atelier
from egress.call.connector import connector
from egress.composite import CompositeEgress, Tell
from egress.media.compositor import DecorMaker, Patch
from egress.media.stage import Stage
from egress.page.capture import Capture, CaptureListener, Plan
from egress.page.handshake import Told, addressed, configuration, secrets
from egress.page.pictures import PagePictures
from egress.page.sound import PageSound
from egress.page.visit import Errand
from egress.protocol.encoding import Quality
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, PageSource
from layouts.scene import Color, Placeholder, Rect, Scene, Tile

log = logging.getLogger(__name__)

DELAY = 0.5
"""Seconds that a page is composed behind live: what it plays takes a few hundredths to come."""
LAST_SOUND = 0.15
"""Seconds after its end for which what a recording still plays is waited for."""
_KEY = "page"
_BLACK = Color(0, 0, 0)


class PageRecording(CompositeEgress, CaptureListener):
    """As every composite recording, but that the page says when it begins, and perhaps when it ends."""

    def __init__(self, spec: CompositeRecording, folder: Path, job: Job, atelier: Atelier, tell: Tell) -> None:
        assert spec.page is not None
        self._page: PageSource = spec.page
        stage = Stage(spec.video.fps, DELAY)
        super().__init__(spec, folder, job.epoch, stage, atelier, tell)
        size = spec.quality.size
        shown_size = size if size[0] else Quality.P720.size
        logs.hide(secrets(self._page.url, self._page.token))
        pictures = None
        if size[0]:
            pictures = PagePictures(spec.video.fps)
            stage.add_video((_KEY, "video"), pictures)
            self.program.schedule(0.0, DecorMaker(_Nothing()).make(_whole(*size)))
        sound = PageSound()
        stage.add_audio(_KEY, sound)
        plan = Plan(
            url=self._page.url,
            size=shown_size,
            guard=job.guard.guard(),
            errand=lambda shown, proxy: _errand(spec, job, shown_size, shown, proxy),
        )
        self._capture = Capture(plan, pictures, sound, self)
        self._life = asyncio.create_task(self._live())

    async def _live(self) -> None:
        capturing = asyncio.create_task(self._capture.run())
        capturing.add_done_callback(self._captured)
        await self.over.wait()
        capturing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(capturing, return_exceptions=True)
        await asyncio.to_thread(self._stage.close)

    def _captured(self, capturing: asyncio.Task[None]) -> None:
        if not capturing.cancelled() and (error := capturing.exception()) is not None:
            log.error("the capture of the page failed", exc_info=error)
            self.failed("internal_error", f"the page could not be captured: {error!r}")

    async def close(self) -> None:
        await self._life

    # What the capture tells.

    def ready(self, when: float) -> None:
        if self.ready_at is None:
            self.ready_at = when
            if self._page.max_duration is not None:
                self._loop.call_later(self._page.max_duration, self.stop, "it had lasted as long as it may")

    def asked_to_end(self, when: float) -> None:
        if self.started:
            self.stop("the page said END_RECORDING", at=when)
        elif not self.over.is_set():
            self.fail("nothing_recorded", "the page said END_RECORDING before anything was recorded")

    def failed(self, code: str, message: str) -> None:
        if self.started:
            self.stop(message, code)
        else:
            self.fail(code, message)

    def _end_program(self, at: float) -> None:
        # All at once it would be drained, without the sound that is still on its way.
        self._loop.call_later(max(0.0, at + LAST_SOUND - time.monotonic()), self._stage.stop, self.program, at)


def _errand(spec: CompositeRecording, job: Job, size: tuple[int, int], shown: str, proxy: str) -> Errand:
    page = spec.page
    assert page is not None
    if not page.app:
        return Errand(page.url, shown, size, None, page.await_start, proxy, page.webrtc)
    given = _Pass(page.server_url, page.token)
    if page.token is None:
        given = _made_pass(spec, job, given)
    type_, _, id_ = job.call_cid.partition(":")
    told = Told(
        call_type=type_,
        call_id=id_,
        layout=spec.layout.name,
        options=spec.layout.options,
        screenshare_layout=page.screenshare_layout,
        ext_css=spec.layout.external_css_url,
        server_url=given.server_url,
        token=given.token,
        api_key=page.api_key,
        user_id=page.user_id,
        base_url=page.base_url,
    )
    return Errand(addressed(page.url, told), shown, size, configuration(told), page.await_start, proxy, page.webrtc)


@dataclass(frozen=True, slots=True)
class _Pass:
    server_url: str | None
    token: str | None


def _made_pass(spec: CompositeRecording, job: Job, given: _Pass) -> _Pass:
    """What lets the page into the call's room, where its connector can make that."""
    kind = connector(job.connector["type"])
    make: Any = getattr(kind, "page_pass", None)
    made = make(kind.Address.model_validate(job.connector), f"{spec.egress_id}-page") if make is not None else None
    if made is None:
        return given
    url, token = made
    logs.hide([token])
    return _Pass(given.server_url or url, token)


def _whole(width: int, height: int) -> Scene:
    """The page, and nothing else."""
    placeholder = Placeholder("", _BLACK, _BLACK, _BLACK)
    page = Tile(Rect(0, 0, width, height), _KEY, "video", "fill", _BLACK, placeholder)
    return Scene(width, height, _BLACK, (page,))


class _Ground:
    def __init__(self, width: int, height: int) -> None:
        self.under = _black(width, height)
        self.over: tuple[Patch, ...] = ()
        self.signs = 0


class _Nothing:
    """A painter of scenes in which a picture covers everything."""

    def paint(self, scene: Scene) -> _Ground:
        return _Ground(scene.width, scene.height)

    def placeholder(self, tile: Tile) -> NDArray[np.uint8]:
        return _black(tile.rect.width, tile.rect.height)


def _black(width: int, height: int) -> NDArray[np.uint8]:
    black = np.zeros((height, width, 4), np.uint8)
    black[:, :, 3] = 255
    return black
