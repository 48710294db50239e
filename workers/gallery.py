"""The gallery of the documentation: every layout with few and many guests, with and without a shared screen.

``python -m workers.gallery FOLDER`` draws it as contact sheets, ``gallery.md`` beside the folder tells of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skia

from layouts.option import ALL, TILED
from layouts.scene import Color
from layouts.text import TextShaper
from workers.preview.people import call_of
from workers.preview.picture import Pixels, Wanted, draw, encoded

GUESTS = (1, 2, 3, 4, 5, 9, 10, 20, 50)
LANDSCAPE, PORTRAIT = (1280, 720), (720, 1280)
_SMALL = {LANDSCAPE: (560, 315), PORTRAIT: (252, 448)}
_COLUMNS = {LANDSCAPE: 3, PORTRAIT: 5}
_GAP, _CAPTION = 10, 24
_GROUND, _INK = Color(0x3A, 0x3D, 0x44), Color(0xF0, 0xF0, 0xF0)
_QUALITY = 82

_PAGE = """# Gallery of layouts

Made by `make gallery`: the layouts with their defaults, with {guests} guests, drawn by the painter and
the compositor that record calls. The second guest speaks, the third and the eighth show no picture, the fourth and the
sixth are muted. Where a screen is shared, the first guest shares it and `screenshare_layout` is the layout itself. Try
your own options with `wallflower layout preview`, see [layouts](layouts.md#looking-at-a-layout-without-a-call).
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    layout: str
    size: tuple[int, int]
    share: bool

    @property
    def name(self) -> str:
        way = "landscape" if self.size == LANDSCAPE else "portrait"
        return f"{self.layout}-{way}{'-share' if self.share else ''}.webp"

    @property
    def options(self) -> dict[str, str]:
        # By default both tiled layouts give way to the same one; here each shows what it makes of a screen.
        return {"screenshare_layout": self.layout} if self.share and self.layout in TILED else {}

    @property
    def title(self) -> str:
        way = "landscape" if self.size == LANDSCAPE else "portrait"
        return f"{self.layout}, {way}{', with a shared screen' if self.share else ''}"


def sheets() -> Iterator[Sheet]:
    """All of them, in the order of the page."""
    for layout in ALL:
        for size in (LANDSCAPE, PORTRAIT):
            for share in (False, True):
                yield Sheet(layout, size, share)


def contact(sheet: Sheet) -> Pixels:
    """One sheet: (height, width, 3)."""
    wide, high = _SMALL[sheet.size]
    columns = _COLUMNS[sheet.size]
    rows = -(-len(GUESTS) // columns)
    pixels = np.zeros((_GAP + rows * (high + _CAPTION + _GAP), _GAP + columns * (wide + _GAP), 4), np.uint8)
    kind, alpha = skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType
    surface = skia.Surface(pixels, kind, alpha)
    canvas = surface.getCanvas()
    canvas.clear(skia.ColorSetRGB(_GROUND.red, _GROUND.green, _GROUND.blue))
    text = TextShaper()
    for number, guests in enumerate(GUESTS):
        row, column = divmod(number, columns)
        x, y = _GAP + column * (wide + _GAP), _GAP + row * (high + _CAPTION + _GAP)
        drawn = draw(Wanted(sheet.layout, sheet.options, sheet.size, call_of(guests, share=sheet.share)))
        rgba = np.full((*drawn.shape[:2], 4), 255, np.uint8)
        rgba[..., :3] = drawn
        small = skia.Image.fromarray(rgba, kind, alpha).resize(
            wide, high, skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)
        )
        canvas.drawImage(small, x, y + _CAPTION)
        said = f"{guests} guest{'' if guests == 1 else 's'}"
        text.draw(canvas, text.line(said, 15, _INK), x, y + 17)
    del canvas, surface
    return pixels[..., :3]


def page(folder: str) -> str:
    """The page that tells of them; ``folder`` is where they are, seen from it."""
    parts = [_PAGE.format(guests=", ".join(map(str, GUESTS[:-1])) + f" and {GUESTS[-1]}")]
    for layout in ALL:
        parts.append(f"\n## {layout}\n")
        for sheet in sheets():
            if sheet.layout == layout:
                parts.append(f"\n{sheet.title[len(layout) + 2 :].capitalize()}:\n")
                parts.append(f"\n![The layout {sheet.title}]({folder}/{sheet.name})\n")
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.gallery", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/gallery"))
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    total = 0
    for sheet in sheets():
        content = encoded(contact(sheet), skia.EncodedImageFormat.kWEBP, _QUALITY)
        (folder / sheet.name).write_bytes(content)
        total += len(content)
    (folder.parent / f"{folder.name}.md").write_text(page(folder.name))
    print(f"{folder}: {len(list(sheets()))} sheets, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
