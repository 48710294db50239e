"""The shape of a track's pictures before the first of them is due: a key frame that waits is decoded aside."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakKeyDictionary

from egress.media.decode import DecodeError, VideoDecoder
from egress.media.video_source import Picture, VideoSource
from egress.rtc.track import EncodedFrame

log = logging.getLogger(__name__)


class FirstShapes:
    """Event loop only; decodes on a thread of its own, if there is ever anything to decode."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shapes")
        self._looks: WeakKeyDictionary[VideoSource, Future[bool | None]] = WeakKeyDictionary()

    def close(self) -> None:
        self._executor.shutdown(wait=False)

    def portrait(self, source: VideoSource) -> bool | None:
        """Whether its pictures are higher than wide; None while that is not known. To be asked again and again."""
        if source.portrait is not None:
            return source.portrait
        look = self._looks.get(source)
        if look is not None and (not look.done() or look.result() is not None):
            return look.result() if look.done() else None
        frame = source.waiting_keyframe()
        if frame is not None:
            self._looks[source] = self._executor.submit(_portrait, source.track.codec, frame)
        return None


def _portrait(codec: str, frame: EncodedFrame) -> bool | None:
    try:
        decoded = VideoDecoder(codec).decode(frame.data)
    except (DecodeError, KeyError) as error:
        log.info("the shape of a first picture is not known: %s", error)
        return None
    return None if decoded is None else Picture(decoded, frame.rotation, 0, 0.0).portrait
