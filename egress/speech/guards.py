"""No inventions: what is no speech never reaches an engine, and what an engine was not sure of is no text. Pure.

Decisions are made by sound and scores alone. No list of phrases is kept: what a model likes to invent, people say too.
"""

from __future__ import annotations

import re
import zlib

import numpy as np

from egress.speech.contract import SAMPLE_RATE, Scores, Sound
from egress.speech.languages import UNSPACED

LEAST_LOUD = 0.001
"""Root mean square of the loudest tenth of a segment under which it is silence (-60 dBFS)."""
LEAST_RATIO = 0.15
"""Part of a segment in which the detector must have heard speech."""
LEAST_SPOKEN = 0.12
"""Seconds of speech that a segment must have."""
SHORT = 0.3
"""Seconds of speech under which it must fill SHORT_RATIO of its segment: a word alone does, and a chord does not whose
beginning the detector takes for one."""
SHORT_RATIO = 0.4
NO_SPEECH = 0.6
NO_SPEECH_SURE = 0.95
"""Probability of no speech beyond which a text needs good scores of its own."""
LOG_PROB = -1.0
LOG_PROB_GOOD = -0.35
COMPRESSION = 2.4
CONFIDENT = 0.7
"""Probability from which a detected language is believed."""
CONFIDENT_SPOKEN = 1.5
"""Seconds of speech it takes to detect one."""
MOST_REPEATS = 3
"""Times that one phrase may follow itself."""
_REPEATED = re.compile(rf"(.{{1,16}}?)\1{{{MOST_REPEATS},}}")
MOST_WORDS_A_SECOND = 8.0
MOST_SIGNS_A_SECOND = 40.0


def worth_asking(samples: Sound, voiced: float, spoken: float) -> bool:
    """Whether an engine should hear it: ``voiced`` of ``spoken`` seconds were speech by the detector."""
    if voiced < LEAST_SPOKEN or voiced < (SHORT_RATIO if voiced < SHORT else LEAST_RATIO) * spoken:
        return False
    step = SAMPLE_RATE // 50
    steps = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(steps):
        return False
    power = np.sort(np.einsum("ij,ij->i", steps, steps) / step)
    return float(np.sqrt(power[-max(1, len(power) // 10) :].mean())) >= LEAST_LOUD


def believed(text: str, scores: Scores, seconds: float) -> bool:
    """Whether ``text``, said in ``seconds``, is what somebody said."""
    if not any(sign.isalnum() for sign in text):
        return False
    if scores.no_speech > NO_SPEECH and scores.log_prob < LOG_PROB:
        return False
    if scores.no_speech > NO_SPEECH_SURE and scores.log_prob < LOG_PROB_GOOD:
        return False
    if scores.log_prob < 1.5 * LOG_PROB or scores.compression > COMPRESSION:
        return False
    # More than anybody can say: the prompt, or what was learned by heart.
    most = seconds + 0.5
    return len(text.split()) <= MOST_WORDS_A_SECOND * most and len(text) <= MOST_SIGNS_A_SECOND * most


def doubtful(scores: Scores) -> bool:
    """Whether decoding again at a higher temperature is worth a try."""
    if scores.no_speech > NO_SPEECH and scores.log_prob < LOG_PROB:
        return False
    return scores.log_prob < LOG_PROB or scores.compression > COMPRESSION


def compression(text: str) -> float:
    """Length over compressed length, as Whisper's authors take it: more than 2.4 repeats itself."""
    told = text.encode()
    return len(told) / len(zlib.compress(told))


def without_repeats(text: str, language: str = "") -> str:
    """Phrases of up to eight words that follow themselves more than MOST_REPEATS times are said once."""
    if language in UNSPACED:
        return _REPEATED.sub(r"\1", text)
    words = text.split()
    plain = [re.sub(r"\W", "", word).casefold() for word in words]
    for length in range(1, 9):
        at = 0
        while at + length <= len(words):
            phrase = plain[at : at + length]
            times = 1
            while plain[at + times * length : at + (times + 1) * length] == phrase:
                times += 1
            if times > MOST_REPEATS:
                del words[at + length : at + times * length]
                del plain[at + length : at + times * length]
            at += 1
    return " ".join(words)


class LanguageLock:
    """The language of a speaker where nobody said it: the first that an engine was sure of stays."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def of(self, speaker: str) -> str | None:
        return self._found.get(speaker)

    def heard(self, speaker: str, language: str, scores: Scores, voiced: float) -> None:
        """An engine detected ``language`` in ``voiced`` seconds of speech."""
        if language and scores.language >= CONFIDENT and voiced >= CONFIDENT_SPOKEN:
            self._found.setdefault(speaker, language)

    def forget(self) -> None:
        self._found.clear()
