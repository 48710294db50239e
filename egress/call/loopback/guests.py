"""What the synthetic guests look like, and how they say nothing: loops encoded once, with a face that speaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import skia
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from egress.call.loopback.cast import Guest
from egress.call.loopback.lines import PACKET_MS, voice

WIDTH, HEIGHT = 640, 360
FPS = 24
LOOP = 4
"""Seconds after which the picture begins anew."""
KEY_INTERVAL = FPS // 2
"""Pictures from one key frame to the next; loops can be entered at each."""
SAMPLE_RATE = 48_000
_VOICE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Content:
    """What a guest sends. Each list is one loop: pictures by number, packets of sound by number, turn behind turn."""

    talking_pictures: list[bytes]
    listening_pictures: list[bytes]
    voice: list[bytes]
    silence: list[bytes]


def content(guest: Guest) -> Content:
    """Draw and encode: about a third of a second of one core."""
    return Content(
        talking_pictures=_encode_pictures(guest, _openness(guest)),
        listening_pictures=_encode_pictures(guest, np.zeros(LOOP * FPS)),
        voice=voice(guest.id),
        silence=_encode_sound(np.zeros(LOOP * _VOICE_RATE, np.int16)),
    )


def _openness(guest: Guest) -> NDArray[np.float64]:
    """How far the mouth of somebody who speaks is open in each picture, 0 to 1."""
    chance = np.random.default_rng(guest.hue)
    t = np.arange(LOOP * FPS) / FPS
    opened = np.zeros_like(t)
    at = 0.06
    while at < LOOP - 0.3:
        # A phrase of some syllables, then a breath.
        for _ in range(int(chance.integers(3, 6))):
            length = float(chance.uniform(0.13, 0.24))
            if at + length > LOOP - 0.05:
                break
            here = (t >= at) & (t < at + length)
            opened[here] += np.sin(np.pi * (t[here] - at) / length) ** 0.7 * chance.uniform(0.7, 1.0)
            at += length + float(chance.uniform(0.01, 0.05))
        at += float(chance.uniform(0.1, 0.28))
    return np.clip(opened, 0, 1)


def _encode_sound(samples: NDArray[np.int16]) -> list[bytes]:
    """Opus packets of 20 ms: one loop, taken from the second time round so that its end meets its beginning."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = _VOICE_RATE
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.bit_rate = 24_000
    encoder.options = {"application": "voip", "frame_duration": str(PACKET_MS)}
    size = _VOICE_RATE * PACKET_MS // 1000
    packets: list[bytes] = []
    rounds = np.concatenate([samples[-_VOICE_RATE // 2 :], samples])
    for number in range(0, len(rounds) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(rounds[None, number : number + size], format="s16", layout="mono")
        frame.sample_rate = _VOICE_RATE
        frame.pts = number
        frame.time_base = Fraction(1, _VOICE_RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    count = LOOP * 1000 // PACKET_MS
    skip = 500 // PACKET_MS
    return packets[skip : skip + count]


def _encode_pictures(guest: Guest, openness: NDArray[np.float64]) -> list[bytes]:
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = Fraction(1, FPS)
    encoder.framerate = Fraction(FPS)
    encoder.bit_rate = 500_000
    encoder.gop_size = KEY_INTERVAL
    encoder.thread_count = 1
    encoder.options = {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "keyint_min": str(KEY_INTERVAL),
        "error-resilient": "1",
        "auto-alt-ref": "0",
    }
    reformatter = VideoReformatter()  # one for all: setting it up takes longer than a picture
    surface = skia.Surface(WIDTH, HEIGHT)
    pixels = np.empty((HEIGHT, WIDTH, 4), dtype=np.uint8)
    pictures: list[bytes] = []
    for number in range(LOOP * FPS):
        draw(surface.getCanvas(), guest, number, float(openness[number]))
        surface.readPixels(
            skia.ImageInfo.Make(WIDTH, HEIGHT, skia.kRGBA_8888_ColorType, skia.kOpaque_AlphaType), pixels
        )
        frame = reformatter.reformat(av.VideoFrame.from_ndarray(pixels, format="rgba"), format="yuv420p")
        frame.pts = number
        frame.time_base = Fraction(1, FPS)
        pictures += [bytes(packet) for packet in encoder.encode(frame)]
    pictures += [bytes(packet) for packet in encoder.encode(None)]
    return pictures


def _colour(hue: float, saturation: float, value: float) -> int:
    return int(skia.HSVToColor((hue % 360, saturation, value)))


def draw(canvas: skia.Canvas, guest: Guest, number: int, mouth: float) -> None:
    """One picture: bubbles that drift, a face that sways, blinks and speaks, and a clock whose hand goes round."""
    turn = number / (LOOP * FPS)
    paint = skia.Paint(AntiAlias=True)

    def disc(x: float, y: float, radius: float, colour: int) -> None:
        paint.setColor(colour)
        canvas.drawCircle(x, y, radius, paint)

    canvas.clear(_colour(guest.hue, 0.42, 0.46))
    for bubble in range(5):
        angle = 2 * math.pi * (turn + bubble / 5)
        x = WIDTH * (0.12 + 0.19 * bubble) + 16 * math.sin(angle)
        y = HEIGHT * (0.3 + 0.45 * (bubble % 2)) + 34 * math.cos(angle)
        disc(x, y, 22 + 7 * bubble, _colour(guest.hue + 24, 0.36, 0.54))
    sway = math.sin(2 * math.pi * turn)
    x, y = WIDTH / 2 + 14 * sway, HEIGHT * 0.53 + 5 * math.sin(4 * math.pi * turn) - 4 * mouth
    paint.setColor(_colour(guest.hue + 130, 0.55, 0.72))
    canvas.drawRRect(skia.RRect(skia.Rect.MakeXYWH(x - 120 - 6 * sway, y + 88, 240, 220), 70, 70), paint)
    disc(x, y - 26, 104, _colour(guest.hue + 200, 0.55, 0.24))
    disc(x, y, 92, _colour(28 + guest.hue % 12, 0.38, 0.66 + guest.hue % 5 * 0.07))
    blink = 0.12 if number % (FPS * 2) in (7, 8, 9) else 1.0
    for side in (-1, 1):
        eye = x + side * 34 + 4 * sway
        paint.setColor(skia.ColorWHITE)
        canvas.drawOval(skia.Rect.MakeXYWH(eye - 13, y - 20 - 13 * blink, 26, 26 * blink), paint)
        disc(eye + 4 * sway, y - 20, 6 * min(1.0, blink * 2), _colour(guest.hue, 0.7, 0.2))
    paint.setColor(_colour(355, 0.6, 0.45))
    opened = 5 + 30 * mouth
    canvas.drawRRect(
        skia.RRect(
            skia.Rect.MakeXYWH(x - 26 + 6 * mouth, y + 40 - opened / 2, 52 - 12 * mouth, opened), 16, opened / 2
        ),
        paint,
    )
    disc(WIDTH - 46, 46, 28, _colour(guest.hue, 0.1, 0.95))
    paint.setColor(_colour(guest.hue, 0.7, 0.3))
    paint.setStrokeWidth(4)
    angle = 2 * math.pi * turn
    canvas.drawLine(WIDTH - 46, 46, WIDTH - 46 + 22 * math.sin(angle), 46 - 22 * math.cos(angle), paint)
