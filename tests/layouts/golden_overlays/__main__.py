"""Draws the golden pictures anew; look at each of them before committing it."""

from __future__ import annotations

from tests.layouts.golden_overlays.scenes import FOLDER, SCENES, drawn
from workers.preview.picture import png

for name in SCENES:
    (FOLDER / f"{name}.png").write_bytes(png(drawn(name)))
    print(FOLDER / f"{name}.png")
