"""Pictures in the sizes in which tiles show them: scaled, turned, mirrored, and blurred where nobody may be recognised.

Of blurred pictures a few soft patches of light and colour are left. Faces are known to be recognised from sixteen
patches across them, and by those who know them from fewer. Here so few are left across the whole picture that one which
is nothing but a face keeps its brightness, and none of its features.
"""

from __future__ import annotations

from collections.abc import Collection

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from egress.media.video_source import Picture, TrackKey
from egress.media.yuv import Planes, mirror, planes_of, rotate

PATCHES = 8
"""Along the longer side of a blurred picture."""
MAX_REFORMATTERS = 16
"""Kinds of scaling that are kept ready; a call has few, but pictures grow and layouts change."""

Look = tuple[int, int, bool, bool]
"""Width and height of what is shown, whether it is blurred, whether it is mirrored."""


class Scaler:
    """Keeps the newest picture of each track in every look in which it is shown. Media thread only."""

    def __init__(self) -> None:
        self._reformatters: dict[tuple[str, int, int, int, int], VideoReformatter] = {}
        self._passing = VideoReformatter()
        """For sizes that are shown once, while a tile glides."""
        self._scaled: dict[TrackKey, tuple[int, dict[Look, Planes]]] = {}

    def forget(self, but: Collection[TrackKey]) -> None:
        """Let go of what was kept of other tracks."""
        if len(self._reformatters) > MAX_REFORMATTERS:
            self._reformatters.clear()
        self._scaled = {key: scaled for key, scaled in self._scaled.items() if key in but}

    def scale(
        self,
        track: TrackKey,
        picture: Picture,
        width: int,
        height: int,
        *,
        blurred: bool = False,
        mirrored: bool = False,
        passing: bool = False,
    ) -> Planes:
        """The picture in that size, upright. ``passing`` says that this size is not asked for again."""
        serial, looks = self._scaled.get(track, (-1, {}))
        if serial != picture.serial:
            looks = {}
            self._scaled[track] = (picture.serial, looks)
        look = (width, height, blurred, mirrored)
        known = looks.get(look)
        if known is not None:
            return known
        turned = picture.rotation in (90, 270)
        w, h = (height, width) if turned else (width, height)
        frame = picture.frame
        if blurred:
            # As many of colour as of light, or they would not be spread smoothly.
            frame = self._reformat(frame, *_patches(frame.width, frame.height), format="yuv444p")
        planes = planes_of(self._reformat(frame, w, h, passing=passing))
        if picture.rotation:
            planes = rotate(planes, picture.rotation)
        if mirrored:
            planes = mirror(planes)
        if not passing:
            looks[look] = planes
        return planes

    def _reformat(
        self, frame: av.VideoFrame, width: int, height: int, *, passing: bool = False, format: str = "yuv420p"
    ) -> av.VideoFrame:
        """In that size, as the canvas is: ITU-R BT.601, limited range."""
        as_the_canvas = (
            frame.format.name == format
            and frame.color_range != ColorRange.JPEG
            and frame.colorspace != Colorspace.ITU709
        )
        if as_the_canvas and (frame.width, frame.height) == (width, height):
            return frame
        reformatter = self._passing
        if not passing:
            # Each holds on to megabytes, so tracks that are scaled alike share one.
            kind = (frame.format.name, frame.width, frame.height, width, height)
            if kind not in self._reformatters:
                self._reformatters[kind] = VideoReformatter()
            reformatter = self._reformatters[kind]
        return reformatter.reformat(
            frame,
            width,
            height,
            format,
            src_colorspace=Colorspace.ITU709 if frame.colorspace == Colorspace.ITU709 else Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG if frame.color_range == ColorRange.JPEG else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            # Averages what it shrinks: quicker than interpolating, and without moiré.
            interpolation=Interpolation.AREA if width < frame.width else Interpolation.BILINEAR,
            threads=1,
        )


def _patches(width: int, height: int) -> tuple[int, int]:
    longer = max(width, height)
    return max(2, round(width / longer * PATCHES)), max(2, round(height / longer * PATCHES))


def scaled_size(width: int, height: int, room_width: int, room_height: int, fill: bool) -> tuple[int, int]:
    """The size to which a picture is scaled for a tile: covering it when ``fill``, inside it otherwise; even."""
    by_width = room_width / width
    by_height = room_height / height
    factor = max(by_width, by_height) if fill else min(by_width, by_height)
    w, h = round(width * factor / 2) * 2, round(height * factor / 2) * 2
    if fill:
        return max(w, room_width), max(h, room_height)
    return max(2, min(w, room_width)), max(2, min(h, room_height))
