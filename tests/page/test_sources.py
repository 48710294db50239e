"""Pictures and sound of a page on their way to the mix: even pictures, sound without holes, all of it in its place."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise

import av
import numpy as np
import pytest

from egress.media.decode import SAMPLE_RATE
from egress.media.video_source import Picture
from egress.page.pictures import PagePictures
from egress.page.sound import Anchor, PageSound

FPS = 30
FRAME = av.VideoFrame(16, 16, "yuv420p")


def shown(times: list[float], ticks: int, at: float = 0.0) -> list[int]:
    """Which picture each tick shows, when they were grabbed at these times; -1 for none."""
    pictures = PagePictures(FPS)
    found = []
    waiting = [Picture(FRAME, 0, serial, when) for serial, when in enumerate(times)]
    for tick in range(ticks):
        while waiting and waiting[0].time <= at + tick / FPS + 0.1:
            pictures._waiting.append(waiting.pop(0))
        picture = pictures.advance(at + tick / FPS)
        found.append(-1 if picture is None else picture.serial)
    return found


def test_pictures_that_come_on_the_tick_give_or_take_a_little_are_each_shown_once():
    rng = np.random.default_rng(1)
    times = [number / FPS + rng.uniform(-0.006, 0.006) for number in range(150)]
    numbers = shown(times, 150)
    repeated = sum(a == b for a, b in pairwise(numbers))
    left_out = sum(b - a > 1 for a, b in pairwise(numbers))
    assert repeated <= 1
    assert left_out <= 1


def test_after_a_stall_the_newest_picture_is_caught_up_with():
    times = [n / FPS - 0.02 for n in range(10)] + [0.9 + n / FPS - 0.02 for n in range(60)]
    numbers = shown(times, 80)
    assert numbers[20] == 9, "the last picture stays"
    # Half a second behind by one tick is put up with, no longer.
    last = 79
    newest = max(serial for serial, when in enumerate(times) if when <= last / FPS)
    assert numbers[last] == newest


def test_before_the_first_picture_there_is_none():
    assert shown([0.5], 10) == [-1] * 10


def test_sound_lies_where_its_least_delayed_piece_says():
    anchor = Anchor()
    rng = np.random.default_rng(2)
    found = 0.0
    for piece in range(200):
        samples = (piece + 1) * 480
        found = anchor.heard(samples, 100.0 + samples / SAMPLE_RATE + 0.02 + rng.uniform(0, 0.05))
    assert found == pytest.approx(100.02, abs=0.003)


def test_sound_that_was_lost_moves_what_follows_and_a_single_late_piece_does_not():
    anchor = Anchor()
    now = 0.0
    for piece in range(300):
        samples = (piece + 1) * 480
        late = 0.2 if piece == 100 else 0.0
        now = samples / SAMPLE_RATE + late
        assert anchor.heard(samples, now) == pytest.approx(0.0, abs=1e-6)
    found = 0.0
    for piece in range(300, 500):
        samples = (piece + 1) * 480
        found = anchor.heard(samples, samples / SAMPLE_RATE + 0.3)
    assert found == pytest.approx(0.3, abs=1e-6)


def test_what_is_played_is_mixed_in_its_place_without_a_hole():
    sound = PageSound()
    out, into = os.pipe()
    ended = threading.Event()
    origin = time.monotonic() - 0.1
    sound.open(out, lambda message: ended.set())
    tone = (np.sin(np.arange(SAMPLE_RATE // 2) / 20) * 8000).astype("<i2")
    with os.fdopen(into, "wb", buffering=0) as pipe:
        for start in range(0, len(tone), 960):
            pipe.write(np.repeat(tone[start : start + 960, None], 2, axis=1).tobytes())
            time.sleep(0.02)
    assert ended.wait(5)
    sound.begin(0)
    mix = np.zeros((SAMPLE_RATE, 2), np.float32)
    for tick in range(FPS):
        first, last = tick * SAMPLE_RATE // FPS, (tick + 1) * SAMPLE_RATE // FPS
        sound.advance(origin + (tick + 2) / FPS, origin)
        sound.add_to(mix[first:last], first)
    heard = np.flatnonzero(np.abs(mix[:, 0]) > 0)
    first = heard[0]
    assert first / SAMPLE_RATE == pytest.approx(0.09, abs=0.03)
    np.testing.assert_allclose(mix[first - 1 : first - 1 + len(tone), 0], tone / 32768, atol=1e-4)
