"""Shaping: what the host's fonts have, and what goes to stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest
import skia

from layouts.text import TextShaper


@pytest.mark.parametrize("letter", list("عשสअ王김😀Я"))
def test_the_host_has_a_font_for_every_script_that_the_tests_write(letter: str) -> None:
    typeface = skia.FontMgr().matchFamilyStyleCharacter("", skia.FontStyle.Normal(), [], ord(letter))
    assert typeface is not None
    assert typeface.unicharToGlyph(ord(letter)) != 0


def test_width_grows_with_text_and_size() -> None:
    shaper = TextShaper()
    assert 0 < shaper.width("An", 18) < shaper.width("Anna", 18) < shaper.width("Anna", 27)
    assert shaper.width("Anna", 18) < shaper.width("Anna", 18, bold=True)


def test_a_first_shaper_writes_nothing_to_stderr() -> None:
    code = "import os, sys; from layouts.text import TextShaper; TextShaper(); os.write(2, b'still open')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert run.stderr == b"still open"
