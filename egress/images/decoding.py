"""Pictures out of bytes that strangers sent: PNG, JPEG, WebP and GIF (its first picture), small enough to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import skia

MOST_PIXELS = 40_000_000
"""Of a picture as it comes. Bytes that unpack to more are refused before anything is unpacked."""

_KINDS = {
    skia.EncodedImageFormat.kPNG: "PNG",
    skia.EncodedImageFormat.kJPEG: "JPEG",
    skia.EncodedImageFormat.kWEBP: "WebP",
    skia.EncodedImageFormat.kGIF: "GIF",
}
_ALLOWED = "allowed are PNG, JPEG, WebP and GIF"

Pixels = npt.NDArray[np.uint8]


class ImageRefused(Exception):
    """Those bytes are no picture that is drawn. The text says why, as what follows a colon."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Straight up, premultiplied sRGB: ``rgba`` is (height, width, 4)."""

    rgba: Pixels

    @property
    def size(self) -> tuple[int, int]:
        return int(self.rgba.shape[1]), int(self.rgba.shape[0])


def decode(content: bytes, side: int) -> Decoded:
    """The picture, made smaller where its longer side has more than ``side`` pixels. Raises ImageRefused."""
    data = skia.Data(content)
    try:
        codec = skia.Codec.MakeFromData(data)
    except RuntimeError:
        raise ImageRefused(_no_picture(content)) from None
    kind = _KINDS.get(codec.getEncodedFormat())
    if kind is None:
        raise ImageRefused(f"pictures of this kind are not drawn; {_ALLOWED}")
    width, height = codec.dimensions().width(), codec.dimensions().height()
    if width * height > MOST_PIXELS:
        raise ImageRefused(f"it has {width}×{height} pixels, more than {MOST_PIXELS:,}")
    # JPEG and WebP can leave out work for pixels that nobody will see.
    scaled = codec.getScaledDimensions(min(1.0, side / max(width, height)))
    if max(scaled.width(), scaled.height()) < min(side, max(width, height)):
        scaled = codec.dimensions()
    pixels = np.zeros((scaled.height(), scaled.width(), 4), np.uint8)
    info = skia.ImageInfo.Make(
        scaled.width(),
        scaled.height(),
        skia.ColorType.kRGBA_8888_ColorType,
        skia.AlphaType.kPremul_AlphaType,
        skia.ColorSpace.MakeSRGB(),
    )
    result = codec.getPixels(info, pixels, pixels.strides[0])
    if result != skia.Codec.Result.kSuccess:
        raise ImageRefused(f"the {kind} is broken ({skia.Codec.ResultToString(result)})")
    return Decoded(_upright(_smaller(pixels, side), codec.getOrigin()))


def _no_picture(content: bytes) -> str:
    if b"<svg" in content[:4096].lower():
        return f"SVG is not drawn; {_ALLOWED}"
    return f"what came is no picture; {_ALLOWED}"


def _smaller(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    if max(width, height) <= side:
        return pixels
    factor = side / max(width, height)
    small = np.zeros((max(1, round(height * factor)), max(1, round(width * factor)), 4), np.uint8)
    kind, alpha = skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType
    image = skia.Image.fromarray(pixels, kind, alpha, copy=False)
    surface = skia.Surface(small, kind, alpha)
    surface.getCanvas().drawImageRect(
        image,
        skia.Rect.MakeWH(small.shape[1], small.shape[0]),
        skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear),
    )
    del surface
    return small


def _upright(pixels: Pixels, origin: skia.EncodedOrigin) -> Pixels:
    """As the camera that took it was held (EXIF orientation, 1 to 8)."""
    number = int(origin)
    if number in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if number in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if number in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
