"""Which scripts a host can write: by its fonts, whatever they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import skia

from layouts.fonts import CJK, CORE, EMOJI, FAMILIES, SCRIPTS, missing
from layouts.text import font_manager
from workers.cli.doctor import _fonts

NOTO = Path("/usr/share/fonts/truetype/noto")


def test_this_host_has_every_script() -> None:
    assert missing(font_manager()) == {}
    assert _fonts() == f"names in all of {len(SCRIPTS)} scripts are drawn"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_that_is_asked_for_is_there(family: str) -> None:
    assert font_manager().matchFamilyStyle(family, skia.FontStyle.Normal()) is not None


def with_fonts(folder: Path, code: str, *fonts: str) -> str:
    """What a program prints on a host that has these fonts alone."""
    for font in fonts:
        (folder / font).symlink_to(NOTO / font)
    config = folder / "fonts.conf"
    config.write_text(f'<?xml version="1.0"?><fontconfig><dir>{folder}</dir><cachedir>{folder}</cachedir></fontconfig>')
    environment = {**os.environ, "FONTCONFIG_FILE": str(config)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_scripts_without_a_font_are_told_with_their_package(tmp_path: Path) -> None:
    code = "import json, skia; from layouts.fonts import missing; print(json.dumps(missing(skia.FontMgr())))"
    found = json.loads(with_fonts(tmp_path, code, "NotoSans-Regular.ttf"))
    assert {"Latin", "Greek", "Cyrillic"}.isdisjoint(found)
    assert (found["Arabic"], found["Chinese"], found["emoji"]) == (CORE, CJK, EMOJI)


def test_the_doctor_says_which_names_would_show_boxes(tmp_path: Path) -> None:
    code = "from workers.cli.doctor import _fonts, _look; print(_look('fonts', _fonts))"
    said = with_fonts(tmp_path, code, "NotoSansArabic-Regular.ttf")
    assert "ok=None" in said and "Arabic" not in said
    assert "names in Latin, Greek" in said and "(Debian: apt install fonts-noto-core fonts-noto-cjk fonts-noto" in said


def test_the_image_brings_the_fonts_that_the_setup_brings() -> None:
    root = Path(__file__).parents[2]
    for package in (CORE, CJK, EMOJI):
        assert package in (root / "docker/Dockerfile").read_text()
        assert package in (root / "scripts/setup.sh").read_text()


def test_a_host_without_fonts_paints_all_the_same(tmp_path: Path) -> None:
    """Names are missing then, recordings are not."""
    code = (
        "from workers.preview.people import call_of\n"
        "from workers.preview.picture import Wanted, draw\n"
        "print(draw(Wanted('grid', {'title.text': 'Hi'}, (640, 360), call_of(5))).shape)"
    )
    assert with_fonts(tmp_path, code) == "(360, 640, 3)\n"
