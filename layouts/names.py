"""What a participant is called on a picture: a clean name, initials, and a colour that stays theirs."""

from __future__ import annotations

import hashlib
import unicodedata

import regex

from layouts.scene import Color

# Longer names are cut before anything is shaped: no tile has room for them, and shaping costs by length.
LONGEST_NAME = 200

_PALETTE = """
3b6fd4 7a55c7 b0489b c2475f bd5a2b 9a7213 5c8224 2b8a57 1f8791 2a78b5 5a62cf 8b5aa8
"""
_AVATARS = tuple(Color(*bytes.fromhex(code)) for code in _PALETTE.split())
_GRAPHEME = regex.compile(r"\X")


def graphemes(text: str) -> list[str]:
    """Text in user-perceived characters (extended grapheme clusters, UAX #29)."""
    return _GRAPHEME.findall(text)


def clean(text: str) -> str:
    """A name on one line, without control characters, unpaired surrogates or unassigned code points."""
    kept = "".join(
        " " if char.isspace() else char
        for char in text[: 4 * LONGEST_NAME]
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co")
    )
    return " ".join(kept.split())[:LONGEST_NAME].rstrip()


def shown_name(name: str, user_id: str) -> str:
    """The name to show: the user id where there is none."""
    return clean(name) or clean(user_id)


def initials(name: str) -> str:
    """First graphemes of the first and the last word, in capitals where the script has them; "?" for no name."""
    words = [initial for word in clean(name).split() if (initial := _initial(word))]
    if not words:
        words = [graphemes(word)[0] for word in clean(name).split()]
    if not words:
        return "?"
    return words[0] if len(words) == 1 else words[0] + words[-1]


def avatar_color(user_id: str) -> Color:
    """One of a dozen colours that carry white text, the same for a user in every call and process."""
    digest = hashlib.sha256(user_id.encode("utf-8", "replace")).digest()
    return _AVATARS[int.from_bytes(digest[:4], "big") % len(_AVATARS)]


def _initial(word: str) -> str | None:
    """The first grapheme that is a letter, a digit or an emoji: "(Guest)" begins with a G."""
    for grapheme in graphemes(word):
        if unicodedata.category(grapheme[0])[0] in "LN" or unicodedata.category(grapheme[0]) == "So":
            capital = grapheme.upper()
            return capital if len(capital) == len(grapheme) else grapheme
    return None
