"""What a guest's picture looks like, so that a judge can read it back from any tile of a recording.

Every identity has a chroma of its own on a mid-grey luma. All marks keep to the middle of the picture, so that they
survive cropping (even to a portrait of 9:16), borders and name labels:

- a *flash*: a band that is white for the first :data:`FLASH_PICTURES` pictures of each second;
- a *code*: :data:`CODE_BLOCKS` black or white blocks: white, black, five Gray-coded bits of the picture's number in its
  second, even parity;
- a *sample* of the bare colour below.

Positions are fractions of the picture's width and height. Colours are BT.601 limited range, as WebRTC has them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FPS = 30
FLASH_PICTURES = 3
BASE_LUMA = 110
WHITE, BLACK = 235, 16
CODE_BLOCKS = 8
CAMERAS = 8
"""Identities 0 to 7 are cameras; identity + 8 is that guest's screen share."""

LEFT, RIGHT = 0.35, 0.65
FLASH_TOP, FLASH_BOTTOM = 0.10, 0.35
CODE_TOP, CODE_BOTTOM = 0.40, 0.60
SAMPLE_TOP, SAMPLE_BOTTOM = 0.65, 0.82

CAMERA_RADIUS, SCREEN_RADIUS = 52, 26
CAMERA_REACH, SCREEN_REACH = 17, 9
"""How far, in chroma steps, a colour may be off and still be that identity's."""

Plane = NDArray[np.uint8]


def chroma(identity: int) -> tuple[int, int]:
    """Cb and Cr of an identity: cameras on an outer ring, screen shares on an inner one, between them in angle."""
    screen = identity >= CAMERAS
    angle = math.tau * ((identity % CAMERAS) + (0.5 if screen else 0.0)) / CAMERAS
    radius = SCREEN_RADIUS if screen else CAMERA_RADIUS
    return round(128 + radius * math.cos(angle)), round(128 + radius * math.sin(angle))


def rgb(identity: int) -> tuple[int, int, int]:
    """The same colour for a canvas, which a browser turns into BT.601 limited range."""
    cb, cr = chroma(identity)
    luma = 1.164 * (BASE_LUMA - 16)
    red = luma + 1.596 * (cr - 128)
    green = luma - 0.813 * (cr - 128) - 0.391 * (cb - 128)
    blue = luma + 2.018 * (cb - 128)
    clipped = [min(255, max(0, round(value))) for value in (red, green, blue)]
    return clipped[0], clipped[1], clipped[2]


def identities_by_chroma() -> NDArray[np.int8]:
    """A table [Cb, Cr] → identity, −1 for nobody."""
    cb, cr = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    table = np.full((256, 256), -1, np.int8)
    for identity in range(2 * CAMERAS):
        u, v = chroma(identity)
        reach = SCREEN_REACH if identity >= CAMERAS else CAMERA_REACH
        table[np.hypot(cb - u, cr - v) <= reach] = identity
    return table


def code_bits(number: int) -> tuple[bool, ...]:
    """The blocks of a picture's number (0 to 29), True for white."""
    gray = number ^ (number >> 1)
    bits = [bool(gray >> shift & 1) for shift in (4, 3, 2, 1, 0)]
    return (True, False, *bits, sum(bits) % 2 == 1)


def number_of(blocks: NDArray[np.float64]) -> int | None:
    """The picture's number from the mean luma of its blocks; None when this is no code, or not a clear one."""
    white, black = float(blocks[0]), float(blocks[1])
    if white - black < 80:
        return None
    bits = blocks > (white + black) / 2
    if bits[2:].sum() % 2:
        return None
    gray = int(sum(int(bit) << shift for bit, shift in zip(bits[2:7], (4, 3, 2, 1, 0), strict=True)))
    number = 0
    while gray:
        number ^= gray
        gray >>= 1
    return number if number < FPS else None


def draw(identity: int, number: int, width: int, height: int, detail: int = 0) -> tuple[Plane, Plane, Plane]:
    """The planes (Y, Cb, Cr; 4:2:0) of a guest's picture ``number`` of its second.

    ``detail`` is the height of luma noise that makes the picture as hard to code as a camera's.
    """
    luma = np.full((height, width), BASE_LUMA, np.uint8)
    if detail:
        noise = np.random.default_rng(identity * 100 + number).integers(
            -detail, detail + 1, ((height + 7) // 8, (width + 7) // 8)
        )
        grown = np.kron(noise, np.ones((8, 8), np.int64))[:height, :width]
        luma = (luma + grown).astype(np.uint8)
    cb, cr = chroma(identity)
    blue = np.full((height // 2, width // 2), cb, np.uint8)
    red = np.full((height // 2, width // 2), cr, np.uint8)

    def fill(area: Area, value: int) -> None:
        x, y, right, bottom = (edge // 2 * 2 for edge in area.in_pixels(width, height))
        luma[y:bottom, x:right] = value
        blue[y // 2 : bottom // 2, x // 2 : right // 2] = 128
        red[y // 2 : bottom // 2, x // 2 : right // 2] = 128

    if number < FLASH_PICTURES:
        fill(FLASH, WHITE)
    for area, bit in zip(CODE, code_bits(number), strict=True):
        fill(area, WHITE if bit else BLACK)
    return luma, blue, red


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the picture, in fractions of its size."""

    left: float
    top: float
    right: float
    bottom: float

    def in_pixels(self, width: float, height: float, x: float = 0, y: float = 0) -> tuple[int, int, int, int]:
        """Left, top, right, bottom for a picture of that size at (x, y)."""
        return (
            round(x + self.left * width),
            round(y + self.top * height),
            round(x + self.right * width),
            round(y + self.bottom * height),
        )

    def core(self, share: float = 0.5) -> Area:
        """The middle of the area, out of reach of blurred edges."""
        x, y = (self.right - self.left) * (1 - share) / 2, (self.bottom - self.top) * (1 - share) / 2
        return Area(self.left + x, self.top + y, self.right - x, self.bottom - y)


FLASH = Area(LEFT, FLASH_TOP, RIGHT, FLASH_BOTTOM)
SAMPLE = Area(LEFT, SAMPLE_TOP, RIGHT, SAMPLE_BOTTOM)
CODE = tuple(
    Area(
        LEFT + (RIGHT - LEFT) * block / CODE_BLOCKS,
        CODE_TOP,
        LEFT + (RIGHT - LEFT) * (block + 1) / CODE_BLOCKS,
        CODE_BOTTOM,
    )
    for block in range(CODE_BLOCKS)
)
