#!/usr/bin/env python3
"""Make speech without a single pause from the model's vocabulary: ``python fluent.py`` writes ``fluent/``.

Sentences are spoken slowly, because the model mistakes many words where more of them are said in five seconds, and lie
one behind the other without silence in between. ``transcripts.json`` says what they are and when each begins and ends.
Needs espeak-ng.
"""

import json
import random
from pathlib import Path

import av
import numpy as np
from train import SR, espeak, make_sentence

FOLDER = Path(__file__).with_name("fluent")
SECONDS = 30
SPEED = 110
VOICES = {"fluent_1": ("en-us", 1), "fluent_2": ("en-us+m5", 2)}


def speak(voice, seed):
    rng, at, parts, said = random.Random(seed), 0, [], []
    while at < SECONDS * SR:
        text = make_sentence(rng)
        sound = espeak(text, voice, SPEED)
        parts.append(sound * (0.4 / np.abs(sound).max()))
        said.append({"text": text, "start": round(at / SR, 3), "end": round((at + len(sound)) / SR, 3)})
        at += len(sound)
    return np.concatenate(parts), said


def write(path, sound):
    with av.open(str(path), "w", format="ogg") as file:
        options = {"application": "voip", "frame_duration": "20"}
        stream = file.add_stream("libopus", rate=SR, options=options)
        stream.layout, stream.bit_rate = "mono", 24_000
        samples = np.concatenate([sound, np.zeros(-len(sound) % 320, np.float32)])
        for at in range(0, len(samples), 320):
            frame = av.AudioFrame.from_ndarray((samples[None, at : at + 320] * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = SR, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    told = {}
    for name, (voice, seed) in VOICES.items():
        sound, told[f"{name}.opus"] = speak(voice, seed)
        write(FOLDER / f"{name}.opus", sound)
    (FOLDER / "transcripts.json").write_text(json.dumps(told, indent=1) + "\n")
