"""How many bits a composed picture may take: conference content in H.264, by height of the landscape picture."""

from __future__ import annotations

CAPS = {360: 320_000, 480: 430_000, 720: 1_300_000, 1080: 2_900_000, 1440: 5_200_000, 2160: 11_600_000}
"""Shorter side in pixels to bits per second at 30 pictures a second."""


def bitrate_cap(width: int, height: int, fps: int) -> int:
    """The cap for a picture of that size: the nearest size at or above; 1.8 times as much at 60 pictures a second."""
    short = min(width, height)
    cap = next((rate for size, rate in sorted(CAPS.items()) if short <= size), CAPS[2160])
    return round(cap * (1 + 0.8 * max(0, fps - 30) / 30))
