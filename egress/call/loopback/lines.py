"""What the synthetic guests say: sentences of the words that the test model of speech knows, a turn each.

The sound of them lies beside this, made by ``scripts/make_voices.py``.
"""

from __future__ import annotations

from pathlib import Path

import av

TURN = 3.0
"""Seconds that a guest speaks before it is the next one's turn."""
PACKET_MS = 20
LEAD = 0.2
"""Seconds of a turn before its sentence begins."""
RATE = 16_000
"""Hz of the sound in the files."""
FOLDER = Path(__file__).with_name("voices")

LINES: dict[str, tuple[str, ...]] = {
    "guest-1": (
        "hello and welcome everyone",
        "please share your screen",
        "we will start the meeting now",
        "thank you and goodbye",
    ),
    "guest-2": (
        "good morning team",
        "the budget is very good",
        "they want the new design",
        "what is the next question",
    ),
    "guest-3": (
        "sorry my camera is not on",
        "please open the document",
        "the deadline is on friday",
        "thanks we will close that later",
    ),
    "guest-4": (
        "good afternoon from the office",
        "the server is okay again",
        "we need coffee and water",
        "please send the last email",
    ),
    "guest-5": (
        "the customer will call tomorrow",
        "please repeat the number",
        "we have one minute",
        "the camera is not black",
    ),
    "guest-6": (
        "when is the product update",
        "please close the window",
        "my computer is very old",
        "we can finish on monday",
    ),
    "guest-7": (
        "who will answer the phone",
        "the music is very good",
        "please link the report",
        "lunch is one hour later",
    ),
    "guest-8": (
        "this slide is blue and green",
        "please speak now",
        "our manager will join the call",
        "we leave this evening",
    ),
    "guest-9": (
        "is the door open",
        "help is not what they want",
        "the project will continue next year",
        "wait we need the yellow table",
    ),
}

VOICES = {
    "guest-1": "en-us+f2",
    "guest-2": "en-us+m1",
    "guest-3": "en-us+f4",
    "guest-4": "en-gb+f2",
    "guest-5": "en-us+m5",
    "guest-6": "en-gb+f4",
    "guest-7": "en-us+m7",
    "guest-8": "en-us+f2",
    "guest-9": "en-gb+m1",
}
"""Of espeak-ng, by guest."""


def opus_packets(path: Path) -> list[bytes]:
    """The packets of a file of Opus."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def voice(guest: str) -> list[bytes]:
    """The Opus packets of 20 ms of all turns of a guest, one turn behind the other."""
    return opus_packets(FOLDER / f"{guest}.opus")[: round(len(LINES[guest]) * TURN * 1000 / PACKET_MS)]
