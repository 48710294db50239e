"""Pictures for painters, without anybody who fetches them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import skia


def image_of(pixels: npt.NDArray[np.uint8]) -> Any:
    """A skia.Image of straight RGBA (h, w, 4) or RGB (h, w, 3)."""
    if pixels.shape[2] == 3:
        pixels = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2)
    return skia.Image.fromarray(
        np.ascontiguousarray(pixels), skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kUnpremul_AlphaType
    )


def plain(width: int, height: int, color: tuple[int, ...]) -> Any:
    """A picture of one colour."""
    return image_of(np.full((height, width, len(color)), color, np.uint8))


def quarters(width: int, height: int) -> Any:
    """Red, green above; blue, white below."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    return image_of(pixels)


class Stills:
    """An ImageSource that a test fills."""

    def __init__(self, **images: Any) -> None:
        self.images: dict[str, Any] = dict(images)
        self.asked: list[str] = []

    @property
    def generation(self) -> int:
        return len(self.images)

    def get(self, address: str, side: int) -> Any | None:
        self.asked.append(address)
        return self.images.get(address)
