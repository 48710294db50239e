"""What encoded frames show and say when they are decoded: whose picture of which size, whose voice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from egress.media.decode import AudioDecoder, DecodeError, VideoDecoder
from egress.rtc.track import EncodedFrame
from tests.rig import picture, sound
from tests.rig.judge_pictures import numbers_in


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded picture."""

    arrival: float
    """When its frame came."""
    rtp_time: int
    size: tuple[int, int]
    """Width and height."""
    numbers: dict[int, int]
    """Which picture of its second it is, of each identity that can be read in it."""


def pictures(frames: Sequence[EncodedFrame], codec: str) -> tuple[list[Shown], list[str]]:
    """Every picture of a track whose frames came one after the other, and a line for each that cannot be decoded."""
    decoder = VideoDecoder(codec)
    shown: list[Shown] = []
    bad: list[str] = []
    for place, frame in enumerate(frames):
        try:
            decoded = decoder.decode(frame.data)
        except DecodeError as error:
            bad.append(f"frame {place} at {frame.arrival:.3f}: {error}")
            continue
        if decoded is None:
            bad.append(f"frame {place} at {frame.arrival:.3f} shows nothing")
            continue
        size = (decoded.width, decoded.height)
        shown.append(Shown(frame.arrival, frame.rtp_time, size, numbers_in(decoded)))
    return shown, bad


def wrong(shown: Sequence[Shown], identity: int, tolerance: int = 4) -> list[Shown]:
    """Pictures that are not that identity's alone, or do not follow those before.

    A picture decoded from another than it was made from is broken, or its number is not as much higher as its time. At
    a switch of layers an SFU reckons that time, which may be off by some pictures.
    """
    bad = [one for one in shown if set(one.numbers) != {identity}]
    good = [one for one in shown if set(one.numbers) == {identity}]
    for before, after in itertools.pairwise(good):
        passed = (after.rtp_time - before.rtp_time) * picture.FPS / 90_000
        counted = after.numbers[identity] - before.numbers[identity]
        off = (counted - passed + picture.FPS / 2) % picture.FPS - picture.FPS / 2
        if abs(off) > tolerance:
            bad.append(after)
    return bad


def sizes(shown: Iterable[Shown]) -> list[tuple[int, int]]:
    """The sizes of pictures, each as often as it came anew."""
    return [size for size, _ in itertools.groupby(one.size for one in shown)]


def longest_gap(frames: Sequence[EncodedFrame], clock_rate: int) -> float:
    """Seconds by the publisher's time stamps, which the business of this machine does not move.

    Where another stream of time stamps begins, by when frames came.
    """
    return max(
        (
            (after.rtp_time - before.rtp_time) / clock_rate
            if after.clock is before.clock
            else after.arrival - before.arrival
            for before, after in itertools.pairwise(frames)
        ),
        default=0.0,
    )


def voices(frames: Sequence[EncodedFrame]) -> set[int]:
    """Which identities hum in packets of sound."""
    strengths = _strengths(frames, {who: sound.hum_frequency(who) for who in range(picture.CAMERAS)})
    return {who for who, strength in strengths.items() if float(np.median(strength)) > sound.HUM_AMPLITUDE / 4}


def beepers(frames: Sequence[EncodedFrame]) -> set[int]:
    """Which identities, screens among them, beep in packets of sound. There must be more than a second."""
    strengths = _strengths(frames, {who: sound.beep_frequency(who) for who in range(2 * picture.CAMERAS)})
    return {who for who, strength in strengths.items() if float(strength.max(initial=0)) > sound.BEEP_AMPLITUDE / 3}


def _strengths(frames: Sequence[EncodedFrame], frequencies: dict[int, int]) -> dict[int, np.ndarray]:
    if not frames:
        return {}
    decoder = AudioDecoder()
    samples = np.concatenate([decoder.decode(frame.data)[:, 0] for frame in frames])
    # What a decoder makes of its first packets, which have nothing before them, is not what was said.
    settled = samples[sound.RATE // 10 :]
    if len(settled) < sound.RATE // 50:
        return {}
    return {who: sound.envelope(settled, frequency) for who, frequency in frequencies.items()}
