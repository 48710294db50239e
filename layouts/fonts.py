"""Which fonts names are drawn with, and which scripts this host has letters for."""

from __future__ import annotations

from typing import Any

import skia

# The families asked for by name make the same picture on every host that has them. Any script that they do not
# have falls back to what the host has.
FAMILIES = (
    "Noto Sans",
    "Noto Color Emoji",
    "Noto Sans CJK SC",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Thai",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Gurmukhi",
    "Noto Sans Gujarati",
    "Noto Sans Tamil",
    "Noto Sans Telugu",
    "Noto Sans Kannada",
    "Noto Sans Malayalam",
    "Noto Sans Sinhala",
    "Noto Sans Lao",
    "Noto Sans Khmer",
    "Noto Sans Myanmar",
    "Noto Sans Georgian",
    "Noto Sans Armenian",
    "Noto Sans Ethiopic",
)

CORE, CJK, EMOJI = "fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"
"""Debian's packages."""

SCRIPTS = {
    "Latin": ("AÅŁđễ", CORE),
    "Greek": ("Αλή", CORE),
    "Cyrillic": ("Жїў", CORE),
    "Arabic": ("محگ", CORE),
    "Hebrew": ("אבג", CORE),
    "Thai": ("กขไ", CORE),
    "Devanagari": ("अमि", CORE),
    "Bengali": ("অরম", CORE),
    "Gurmukhi": ("ਅਗਰ", CORE),
    "Gujarati": ("અગર", CORE),
    "Tamil": ("அதம", CORE),
    "Telugu": ("అతమ", CORE),
    "Kannada": ("ಅತಮ", CORE),
    "Malayalam": ("അതമ", CORE),
    "Sinhala": ("අතම", CORE),
    "Lao": ("ກຂມ", CORE),
    "Khmer": ("កខម", CORE),
    "Burmese": ("ကခမ", CORE),
    "Georgian": ("აბგ", CORE),
    "Armenian": ("Աբգ", CORE),
    "Ethiopic": ("አበገ", CORE),
    "Chinese": ("王陈们", CJK),
    "Japanese": ("さくラ田", CJK),
    "Korean": ("김민준", CJK),
    "emoji": ("😀🎉🦊", EMOJI),
}
"""Scripts that names are commonly written in, some letters of each, and the package that brings them."""


def missing(fonts: Any) -> dict[str, str]:
    """Scripts of which a font manager (skia.FontMgr) lacks letters, so that names show boxes; and their packages."""
    return {
        script: package
        for script, (letters, package) in SCRIPTS.items()
        if not all(_drawn(fonts, letter) for letter in letters)
    }


def _drawn(fonts: Any, letter: str) -> bool:
    typeface = fonts.matchFamilyStyleCharacter("", skia.FontStyle.Normal(), [], ord(letter))
    return typeface is not None and typeface.unicharToGlyph(ord(letter)) != 0
