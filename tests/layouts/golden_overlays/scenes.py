"""The scenes of the golden pictures, each for something that the painter draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skia

from layouts.engine import compose
from layouts.native import NativePainter
from layouts.scene import CallView, Scene
from tests.layouts.calls import guest
from tests.layouts.stills import Stills, quarters

FOLDER = Path(__file__).parent
SIZE = (480, 270)
VIDEO = (70, 96, 120)
NAMES = ("Zoë Łuk", "محمد علي", "สมชาย ใจดี", "王芳 さくら", "देवी शर्मा", "נועה לוי", "김민준", "Tom 🎧🦊", "Ольга")
STILLS = Stills(
    **{
        "https://stills.example/logo": quarters(200, 100),
        "https://stills.example/room": quarters(96, 54),
        "https://stills.example/eva": quarters(128, 128),
    }
)
Pixels = npt.NDArray[np.uint8]


def call(count: int, *, video: bool = True, **first: Any) -> CallView:
    guests = [replace(guest(n, NAMES[n % len(NAMES)]), has_video=video) for n in range(count)]
    if guests:
        guests[0] = replace(guests[0], **first)
    return CallView(tuple(guests))


def scene(layout: str, view: CallView, size: tuple[int, int] = SIZE, **options: Any) -> Scene:
    named = {name.replace("__", "."): value for name, value in options.items()}
    return compose(layout, named, size, view, wall=1_700_000_000.0)


SCENES: dict[str, Callable[[], Scene]] = {
    "names": lambda: scene("grid", call(9)),
    "initials": lambda: scene("grid", call(9, video=False)),
    "speaking_and_muted": lambda: scene("grid", call(2, is_speaking=True, has_audio=False)),
    "portrait": lambda: scene("grid", call(5, is_speaking=True), (270, 480)),
    "avatar": lambda: scene("grid", call(2, video=False, image="https://stills.example/eva")),
    "logo_and_title": lambda: scene(
        "spotlight",
        call(4),
        logo__image_url="https://stills.example/logo",
        logo__horizontal_position="right",
        logo__vertical_position="bottom",
        title__text="Weekly 週報 أسبوعي",
    ),
    "backdrop_cover": lambda: scene(
        "grid",
        call(2),
        layout__background_image="https://stills.example/room",
        layout__background_size="cover",
        participant__border_radius="40px",
    ),
    "backdrop_repeated": lambda: scene(
        "grid",
        call(1),
        layout__background_image="https://stills.example/room",
        layout__background_position="center",
        layout__background_size="20%",
    ),
    "labels_elsewhere": lambda: scene(
        "grid",
        call(4),
        participant__label_horizontal_position="right",
        participant__label_vertical_position="top",
        participant__label_background_color="#ffffffc0",
        participant__label_text_color="#102040",
        participant_label__margin_inline="20px",
        participant_label__margin_block="12px",
    ),
    "thick_borders": lambda: scene(
        "grid",
        call(2, is_speaking=True),
        participant__video_border_width=8,
        participant__video_border_color="#ff8800c0",
        participant__video_border_radius="24px",
        video__background_color="#f4f4f4",
    ),
    "timestamp": lambda: scene("single-participant", call(1), debug__show_timestamp=True),
}


def drawn(name: str) -> Pixels:
    """The scene over its video: (height, width, 3)."""
    shown = SCENES[name]()
    painter = NativePainter(STILLS)
    painting = painter.paint(shown)
    pixels = painting.under.astype(np.float64)
    for tile in shown.tiles:
        rect = tile.rect
        video = (*VIDEO, 255) if tile.source else painter.placeholder(tile)
        pixels[rect.y : rect.bottom, rect.x : rect.right] = video
    for patch in painting.over:
        rect = patch.rect
        below = pixels[rect.y : rect.bottom, rect.x : rect.right]
        below[:] = patch.rgba + below * (1 - patch.rgba[..., 3:] / 255)
    return np.rint(pixels[..., :3]).astype(np.uint8)


def golden(name: str) -> Pixels:
    """The picture that was looked at."""
    image = skia.Image.open(str(FOLDER / f"{name}.png"))
    pixels: Pixels = image.toarray(colorType=skia.ColorType.kRGBA_8888_ColorType)[..., :3].copy()
    return pixels
