"""Scenes as they were found good, as JSON: ``python -m tests.layouts.golden_scenes`` makes them again.

A change of them is to be looked at, in the diff or in the gallery, before it is committed.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from layouts.engine import compose
from layouts.scene import Color, ParticipantView, Rect, Scene
from tests.layouts.calls import call_of

FOLDER = Path(__file__).parent / "golden"
LAYOUTS = ("grid", "spotlight", "single-participant")
SIZES = {"landscape": (1280, 720), "portrait": (720, 1280)}
COUNTS = (1, 2, 3, 4, 5, 9, 10, 20, 50)

STYLED: dict[str, Any] = {
    "logo.image_url": "https://example.com/logo.png",
    "logo.horizontal_position": "right",
    "logo.height": "5vh",
    "title.text": "Weekly",
    "title.color": "hotpink",
    "layout.background_image": "https://example.com/wall.jpg",
    "layout.background_size": "cover",
    "layout.background_color": "#f2f2f2",
    "layout.transition_ms": 200,
    "layout.forceMirrorParticipants": True,
    "participant.aspect_ratio": "4/3",
    "participant.outline_color": "#005fff",
    "participant.outline_width": "2px",
    "participant.border_radius": "5%",
    "participant_label.margin_inline": "1rem",
    "participant_label.text_color": "black",
    "participant_label.background_color": "rgba(255, 255, 255, 50%)",
    "layout.grid.page_size": 12,
    "layout.spotlight.participants_bar_position": "left",
    "layout.spotlight.participants_bar_limit": "dynamic",
    "layout.single-participant.padding_inline": "20%",
    "debug.show_timestamp": True,
}


def scenes(layout: str, size: tuple[int, int], sharing: bool, options: dict[str, Any]) -> dict[str, Scene]:
    """The scenes of one file by the number of guests: one speaks, one shows no camera, the first may share a screen."""
    return {
        str(count): compose(
            layout,
            options,
            size,
            call_of(count, speaking=(1,), dominant=1, without_video=(2,), sharing=(0,) if sharing else ()),
            wall=1_700_000_000.0,
        )
        for count in COUNTS
    }


def files() -> dict[str, str]:
    """The text of each golden file, by its name."""
    found = {}
    for layout in LAYOUTS:
        for orientation, size in SIZES.items():
            for sharing in (False, True):
                name = f"{layout}-{orientation}{'-shared' if sharing else ''}.json"
                found[name] = written(scenes(layout, size, sharing, {}))
        found[f"{layout}-styled.json"] = written(scenes(layout, SIZES["landscape"], False, STYLED))
    return found


def plain(value: Any) -> Any:
    """A part of a scene as JSON has it: colours and rectangles short, participants by their session."""
    if isinstance(value, Color):
        return f"#{value.red:02x}{value.green:02x}{value.blue:02x}{value.alpha:02x}"
    if isinstance(value, Rect):
        return [value.x, value.y, value.width, value.height]
    if isinstance(value, ParticipantView):
        return value.session_id
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def written(by_count: dict[str, Scene]) -> str:
    """Scenes as text, one tile a line."""
    parts = []
    for count, scene in by_count.items():
        rest = {name: value for name, value in plain(scene).items() if name != "tiles"}
        tiles = ",\n".join(f"    {json.dumps(plain(tile))}" for tile in scene.tiles)
        parts.append(f'"{count}": {{\n  "scene": {json.dumps(rest)},\n  "tiles": [\n{tiles}\n  ]\n}}')
    return "{" + ",\n".join(parts) + "}\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
