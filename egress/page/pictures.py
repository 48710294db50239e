"""What a screen shows, picture by picture: grabbed on a thread of its own, at the program's frame rate."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

import av
from av.container import InputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from egress.media.video_source import Picture
from egress.page.display import Display

MOST_WAITING = 90
"""Pictures that may wait for the stage."""
CLEARLY = 0.008
"""Seconds that a picture must have been due for before it counts as overdue."""
PATIENCE = 0.5
"""Seconds for which every tick must have been behind before a picture is left out."""
DRAWN_BEFORE = 0.033
"""Seconds by which a page has drawn a picture, on the mean, before it is grabbed: its way through the browser's
compositor, and half the time between two pictures. Measured with a page that flashes and beeps at once."""
_OPENING = threading.Lock()
"""libxcb finds the cookie of a screen by a variable of the whole process, when it connects."""


class PagePictures:
    """A source of pictures for a stage. :meth:`advance` is for the media thread, everything else for the event loop."""

    def __init__(self, fps: int) -> None:
        self.holding = False
        """While the page is loaded anew: the last picture stays."""
        self._fps = fps
        self._waiting: deque[Picture] = deque(maxlen=MOST_WAITING)
        self._picture: Picture | None = None
        self._serial = 0
        self._behind = 0
        """Ticks in a row at which the picture after that which is shown was due as well."""
        self._grabbing: _Grabbing | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the latest picture."""
        picture = self._picture
        return None if picture is None else (picture.frame.width, picture.frame.height)

    def open(self, display: Display, size: tuple[int, int], on_end: Callable[[str], None]) -> None:
        """Grab the upper left of a screen from now on. ``on_end`` is called on another thread when that fails."""
        self.close()
        self._grabbing = _Grabbing(display, size, self._fps, self._take, on_end)

    def close(self) -> None:
        """Grab no more. What waits may still be shown."""
        if self._grabbing is not None:
            self._grabbing.close()
            self._grabbing = None

    def _take(self, frame: av.VideoFrame, changed: bool, when: float) -> None:
        # On the grabbing thread, of which there is one at a time.
        if self.holding:
            return
        self._serial += changed
        self._waiting.append(Picture(frame, 0, self._serial, when))

    def advance(self, until: float) -> Picture | None:
        """The picture to show at ``until`` (monotonic seconds), None before the first.

        One a tick, unless more than one tick behind: grabbing and composing run at the same rate, and when the two
        fall on nearly the same moment, a little unevenness would else show one picture twice and the next one never.
        Who has been a tick behind for a while catches up.
        """
        while self._waiting and self._waiting[0].time <= until:
            self._picture = self._waiting.popleft()
            if not self._waiting or self._waiting[0].time > until - 1 / self._fps:
                break
        self._behind = self._behind + 1 if self._waiting and self._waiting[0].time <= until - CLEARLY else 0
        if self._behind >= PATIENCE * self._fps:
            self._picture = self._waiting.popleft()
            self._behind = 0
        return self._picture


class _Grabbing:
    """One connection to an X server."""

    def __init__(
        self,
        display: Display,
        size: tuple[int, int],
        fps: int,
        take: Callable[[av.VideoFrame, bool, float], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._display = display
        self._size = size
        self._fps = fps
        self._take = take
        self._on_end = on_end
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grab", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        width, height = self._size
        options = {"video_size": f"{width}x{height}", "framerate": str(self._fps), "draw_mouse": "0"}
        try:
            with _OPENING:
                os.environ["XAUTHORITY"] = str(self._display.authority)
                screen = av.open(self._display.name, format="x11grab", options=options)
            with screen:
                self._grab(screen)
        except (av.FFmpegError, OSError) as error:
            if not self._closed.is_set():
                self._on_end(f"the screen cannot be grabbed: {error}")

    def _grab(self, screen: InputContainer) -> None:
        reformatter = VideoReformatter()
        before: av.VideoFrame | None = None
        converted: av.VideoFrame | None = None
        for frame in screen.decode(video=0):
            if self._closed.is_set():
                return
            when = time.monotonic() - DRAWN_BEFORE
            changed = before is None or converted is None or not _same(before, frame)
            if changed:
                before = frame
                converted = reformatter.reformat(
                    frame,
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU601,
                    dst_color_range=ColorRange.MPEG,
                    threads=1,
                )
            assert converted is not None
            self._take(converted, changed, when)


def _same(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    """Whether two pictures are the same, byte for byte: a page that stands still costs next to nothing."""
    return memoryview(one.planes[0]) == memoryview(other.planes[0])
