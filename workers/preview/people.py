"""Guests that are not there, for looking at layouts: who they are, and stills of their cameras and shared screen."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import av
import numpy as np
import skia
from numpy.typing import NDArray

from egress.call.loopback import guests
from egress.call.loopback.cast import CAST, Guest
from egress.media.video_source import Picture, TrackKey
from layouts.scene import CallView, Color, ParticipantView
from layouts.text import TextShaper

MOST = 200
SHARER = 0
SCREEN = (1920, 1080)

_MORE_NAMES = """
สมชาย ใจดี, Jean-Luc d’Aubigny, さくら 田中, Wolfeschlegelsteinhausenbergerdorff, Ngọc Ánh Nguyễn, Amara Okafor,
علی رضایی, Łukasz Wiśniewski, রহিম উদ্দিন, Þórunn Jónsdóttir, தமிழ்செல்வி, José Á. Peña, گل بانو, Ⓡobin 🦊, გიორგი,
Ana, Արամ Հակոբյան, William O’Shea, ክብረ አበበ, Mia-Sophie von der Heide, ខេមរា, Oskar Øster, မောင်မောင်, D. J. Trần,
Χρήστος Παππάς, Ivana Đurić, ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ, Fatou, 李小龙, Maximiliane Bärbel Schröder-Freudenthal, דוד כהן, Yusuf,
Сергей Иванов, Priya, 박서연, Tom 🎧, Kwame Nkrumah Mensah, Élodie, Bob, 陳大文, Noor
"""
_NAMES = (*(guest.name for guest in CAST), *(name.strip() for name in _MORE_NAMES.split(",")))


def name_of(number: int) -> str:
    return _NAMES[number % len(_NAMES)]


def call_of(
    count: int,
    *,
    share: bool = False,
    speaking: int | None = 1,
    without_video: Collection[int] = (2, 7),
    muted: Collection[int] = (3, 5),
) -> CallView:
    """So many guests, by number: who speaks, who shows no picture, who is muted. The first one shares the screen."""
    return CallView(
        tuple(
            ParticipantView(
                session_id=f"s{number}",
                user_id=f"guest-{number}",
                name=name_of(number),
                roles=("host",) if number == 0 else ("user",),
                has_video=number not in without_video,
                has_audio=number not in muted,
                has_screen_share=share and number == SHARER,
                is_speaking=number == speaking,
                is_dominant_speaker=number == speaking,
                joined_at=float(number),
            )
            for number in range(count)
        )
    )


def pictures_of(call: CallView) -> dict[TrackKey, Picture]:
    """What their cameras show, and the shared screen."""
    found: dict[TrackKey, Picture] = {}
    for number, who in enumerate(call.participants):
        if who.has_video:
            found[(who.session_id, "video")] = Picture(_frame(_camera(number)), 0, 1, 0.0)
        if who.has_screen_share:
            found[(who.session_id, "screen_share")] = Picture(_frame(_screen()), 0, 1, 0.0)
    return found


def _frame(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="yuv420p")


@lru_cache(64)
def _camera(number: int) -> NDArray[np.uint8]:
    guest = Guest(f"guest-{number}", name_of(number), (), 205 + 137 * number, 100.0)
    pixels = np.zeros((guests.HEIGHT, guests.WIDTH, 4), np.uint8)
    surface = skia.Surface(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType)
    guests.draw(surface.getCanvas(), guest, 17 * number, (number % 3) / 2)
    del surface
    return pixels


@lru_cache(1)
def _screen() -> NDArray[np.uint8]:
    """A page of a presentation, with letters of several sizes and fine lines at all four edges."""
    width, height = SCREEN
    pixels = np.full((height, width, 4), 255, np.uint8)
    surface = skia.Surface(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType)
    canvas = surface.getCanvas()
    text = TextShaper()
    ink = skia.Paint(Color=skia.ColorSetRGB(38, 70, 140), AntiAlias=True)
    canvas.drawRect(skia.Rect.MakeWH(width, 120), ink)
    text.draw(canvas, text.line("Quarterly figures", 64, Color(255, 255, 255), True), 60, 82)
    for row, size in enumerate((44, 32, 24, 18)):
        line = text.line(f"Letters of {size} pixels: what is shared stays readable", size, Color(30, 34, 44))
        text.draw(canvas, line, 60, 210 + 62 * row)
    for column, value in enumerate((3, 5, 4, 7, 6, 9, 11)):
        bar = skia.Rect.MakeLTRB(120 + 240 * column, 980 - 46 * value, 280 + 240 * column, 980)
        canvas.drawRect(bar, skia.Paint(Color=skia.HSVToColor((205.0 + 12 * column, 0.6, 0.8)), AntiAlias=True))
    canvas.drawLine(60, 981, width - 60, 981, ink)
    edge = skia.Paint(Color=skia.ColorRED, Style=skia.Paint.kStroke_Style, StrokeWidth=6)
    canvas.drawRect(skia.Rect.MakeLTRB(3, 3, width - 3, height - 3), edge)
    del surface
    return pixels
