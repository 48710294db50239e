"""Pictures as planes: RGBA to 4:2:0 (ITU-R BT.601, limited range, what WebRTC carries), pasting and blending.

A ``Planes`` is three uint8 arrays: luma (h, w), and two chroma planes (h/2, w/2). All positions and sizes are even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]
Mask = tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]
"""Per plane, how much of a picture is seen at each pixel: 255 is all of it."""

_Y = np.array([0.257, 0.504, 0.098], np.float32)
_U = np.array([-0.148, -0.291, 0.439], np.float32)
_V = np.array([0.439, -0.368, -0.071], np.float32)


def planes_of(frame: av.VideoFrame) -> Planes:
    """Views of a yuv420p frame's planes, without padding; writing to them writes to the frame."""
    sizes = (
        (frame.height, frame.width),
        ((frame.height + 1) // 2, (frame.width + 1) // 2),
        ((frame.height + 1) // 2, (frame.width + 1) // 2),
    )
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]  # type: ignore[call-overload]
        for plane, (height, width) in zip(frame.planes, sizes, strict=True)
    )
    return y, u, v


def blank(width: int, height: int) -> Planes:
    """Black."""
    return (
        np.full((height, width), 16, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
    )


def from_rgb(rgb: NDArray[np.float32]) -> Planes:
    """Planes of an (h, w, 3) picture, 0 to 255; chroma is the mean of each 2 x 2."""
    y = rgb @ _Y + 16
    half = rgb.reshape(rgb.shape[0] // 2, 2, rgb.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    u = half @ _U + 128
    v = half @ _V + 128
    return _bytes(y), _bytes(u), _bytes(v)


def from_rgba(rgba: NDArray[np.uint8]) -> Planes:
    """Planes of an opaque (h, w, 4) picture of any size: by swscale, whose work needs no memory to speak of."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba")
    return planes_of(
        frame.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA,
            threads=1,
        )
    )


def _bytes(values: NDArray[np.float32]) -> Plane:
    plane: Plane = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return plane


@dataclass(frozen=True, slots=True)
class Overlay:
    """A premultiplied picture made ready for blending: per plane what is added and what of the ground is kept."""

    x: int
    y: int
    add: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]
    keep: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]
    opaque: Planes | None
    """The planes themselves where nothing shines through."""

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.keep[0].shape
        return width, height


def overlay(x: int, y: int, rgba: NDArray[np.uint8]) -> Overlay:
    """Make a premultiplied (h, w, 4) picture ready for blending at even ``x``, ``y``."""
    colour = rgba[..., :3].astype(np.float32)
    alpha = rgba[..., 3].astype(np.float32)
    half_alpha = alpha.reshape(alpha.shape[0] // 2, 2, alpha.shape[1] // 2, 2).mean(axis=(1, 3))
    half = colour.reshape(colour.shape[0] // 2, 2, colour.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    opaque = from_rgb(colour) if rgba[..., 3].min(initial=255) == 255 else None
    # The colour is premultiplied, so the offsets of the planes have to be as well.
    add = (
        _scaled(colour @ _Y + 16 * alpha / 255),
        _scaled(half @ _U + 128 * half_alpha / 255),
        _scaled(half @ _V + 128 * half_alpha / 255),
    )
    keep = (_keep(alpha), _keep(half_alpha), _keep(half_alpha))
    return Overlay(x, y, add, keep, opaque)


def cut(over: Overlay, x: int, y: int, right: int, bottom: int) -> Overlay:
    """The part of an overlay inside a rectangle of even coordinates that it touches; itself where that is all of it."""
    width, height = over.size
    left, top = max(x, over.x), max(y, over.y)
    right, bottom = min(right, over.x + width), min(bottom, over.y + height)
    if (left, top, right, bottom) == (over.x, over.y, over.x + width, over.y + height):
        return over
    across = [slice((left - over.x) // step, (right - over.x) // step) for step in (1, 2, 2)]
    down = [slice((top - over.y) // step, (bottom - over.y) // step) for step in (1, 2, 2)]
    add = (over.add[0][down[0], across[0]], over.add[1][down[1], across[1]], over.add[2][down[2], across[2]])
    keep = (over.keep[0][down[0], across[0]], over.keep[1][down[1], across[1]], over.keep[2][down[2], across[2]])
    opaque = over.opaque
    if opaque is not None:
        opaque = (opaque[0][down[0], across[0]], opaque[1][down[1], across[1]], opaque[2][down[2], across[2]])
    return Overlay(left, top, add, keep, opaque)


def _scaled(values: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    scaled: NDArray[np.uint16] = np.clip(values * 255 + 127, 0, 65535).astype(np.uint16)
    return scaled


def _keep(alpha: NDArray[np.float32]) -> NDArray[np.uint16]:
    return (255 - alpha + 0.5).astype(np.uint16)


def blend(ground: Planes, over: Overlay) -> None:
    """Draw ``over`` onto ``ground``."""
    width, height = over.size
    for index, plane in enumerate(ground):
        step = 1 if index == 0 else 2
        part = plane[over.y // step : (over.y + height) // step, over.x // step : (over.x + width) // step]
        if over.opaque is not None:
            part[:] = over.opaque[index]
        else:
            mixed = part * over.keep[index]
            mixed += over.add[index]
            mixed //= 255
            part[:] = mixed


def paste(ground: Planes, picture: Planes, x: int, y: int, left: int, top: int, width: int, height: int) -> None:
    """Copy the part of ``picture`` at ``left``, ``top`` to ``x``, ``y`` of ``ground``."""
    for index, (to, source) in enumerate(zip(ground, picture, strict=True)):
        step = 1 if index == 0 else 2
        to[y // step : (y + height) // step, x // step : (x + width) // step] = source[
            top // step : (top + height) // step, left // step : (left + width) // step
        ]


def shares(mask: NDArray[np.uint8]) -> Mask:
    """An (h, w) mask for each plane; sides are even."""
    half = mask.reshape(mask.shape[0] // 2, 2, mask.shape[1] // 2, 2).mean(axis=(1, 3)).astype(np.uint16)
    return mask.astype(np.uint16), half, half


def taken(ground: Planes, x: int, y: int, width: int, height: int) -> Planes:
    """A copy of a part of ``ground``."""
    a, b, c = (
        plane[y // step : (y + height) // step, x // step : (x + width) // step].copy()
        for plane, step in zip(ground, (1, 2, 2), strict=True)
    )
    return a, b, c


def show_through(ground: Planes, before: Planes, mask: Mask, x: int, y: int) -> None:
    """Bring back what was there ``before`` at ``x``, ``y``, by what the mask leaves of what was drawn since."""
    for plane, old, share, step in zip(ground, before, mask, (1, 2, 2), strict=True):
        height, width = old.shape
        part = plane[y // step : y // step + height, x // step : x // step + width]
        part[:] = (part * share + old * (255 - share)) // 255


def rotate(picture: Planes, degrees: int) -> Planes:
    """``picture`` turned clockwise by 90, 180 or 270 degrees."""
    turns = -(degrees // 90)
    y, u, v = (np.rot90(plane, turns) for plane in picture)
    return y, u, v


def mirror(picture: Planes) -> Planes:
    """``picture`` with left and right exchanged."""
    y, u, v = (plane[:, ::-1] for plane in picture)
    return y, u, v


def resized(picture: Planes, width: int, height: int) -> Planes:
    """``picture`` in another size."""
    frame = av.VideoFrame(picture[0].shape[1], picture[0].shape[0], "yuv420p")
    for to, plane in zip(planes_of(frame), picture, strict=True):
        to[:] = plane
    return planes_of(frame.reformat(width, height, interpolation=Interpolation.BILINEAR, threads=1))
