"""Makes the voices of the loopback call's guests anew: ``python scripts/make_voices.py``. Needs espeak-ng.

Each guest has a file ``egress/call/loopback/voices/GUEST.opus``: one turn of speech behind another, as
:mod:`egress.call.loopback.lines` has them. Words are those that the test model of speech knows.
"""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler

from egress.call.loopback.lines import FOLDER, LEAD, LINES, PACKET_MS, RATE, TURN, VOICES


def spoken(text: str, voice: str) -> np.ndarray:
    """One sentence at ``RATE``, as loud as the others, without the silence around it."""
    command = ["espeak-ng", "-v", voice, "-s", "165", "--stdout", text]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(said)) as file:
        rate, samples = file.getframerate(), np.frombuffer(said[44:], dtype="<i2")
    samples = samples[: len(samples) // 2 * 2]
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    frame = av.AudioFrame.from_ndarray(samples[None, :].copy(), format="s16", layout="mono")
    frame.sample_rate = rate
    made = np.concatenate([f.to_ndarray()[0] for one in (frame, None) for f in resampler.resample(one)])
    loud = np.flatnonzero(np.abs(made.astype(int)) > 250)
    made = made[loud[0] : loud[-1] + 1].astype(np.float64)
    return made * (12_000 / np.abs(made).max())


def turns(guest: str) -> np.ndarray:
    out = np.zeros(round(len(LINES[guest]) * TURN * RATE), np.int16)
    for number, text in enumerate(LINES[guest]):
        sound = spoken(text, VOICES[guest])
        seconds = len(sound) / RATE
        if LEAD + seconds > TURN - 0.6:
            sys.exit(f"{guest}: {text!r} takes {seconds:.2f} s, which is too long for a turn")
        at = round((number * TURN + LEAD) * RATE)
        out[at : at + len(sound)] = sound
        print(f"{guest} {seconds:.2f} s  {text}")
    return out


def write(guest: str, samples: np.ndarray) -> int:
    path = FOLDER / f"{guest}.opus"
    FOLDER.mkdir(exist_ok=True)
    with av.open(str(path), "w", format="ogg") as file:
        stream = file.add_stream(
            "libopus", rate=RATE, options={"application": "voip", "frame_duration": str(PACKET_MS)}
        )
        stream.layout = "mono"
        stream.bit_rate = 20_000
        size = RATE * PACKET_MS // 1000
        for at in range(0, len(samples), size):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + size], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path.stat().st_size


if __name__ == "__main__":
    print(sum(write(guest, turns(guest)) for guest in LINES), "bytes")
