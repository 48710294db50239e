"""Options of tiles: their lines, corners, shape, and what they show without a picture."""

from __future__ import annotations

from layouts.option import Option

TILES = (
    Option(
        "participant.video_border_width",
        "border_width",
        "stroke",
        True,
        "Line around every tile: true takes a width that suits the canvas, false draws none",
        maximum=100,
        conflict="Documented as a boolean and described as a width: it takes both.",
    ),
    Option(
        "participant.video_border_color",
        "border",
        "color",
        "#cccccc",
        "Colour of that line",
    ),
    Option(
        "participant.video_border_rounded",
        "border_rounded",
        "boolean",
        True,
        "Round the corners of tiles",
    ),
    Option(
        "participant.video_border_radius",
        "border_radius",
        "radius",
        1.2,
        "Radius of those corners; percent in a string are of the tile's shorter side",
        aliases=("participant.border_radius",),
        maximum=50,
        conflict="Documented is 1.2 without a unit: taken as percent of the canvas's shorter side, so that a layout "
        "looks the same in every quality.",
    ),
    Option(
        "participant.video_highlight_border_color",
        "highlight",
        "color",
        "#7cfc00",
        "Colour of the line around who speaks",
        aliases=("participant.outline_color",),
        conflict="The app's is #005fff; the documented one is taken.",
    ),
    Option(
        "participant.outline_width",
        "highlight_width",
        "stroke",
        True,
        "Width of the line around who speaks",
        maximum=100,
        conflict="The app's is 2px; here it suits the canvas, or is participant.video_border_width where one is given.",
    ),
    Option(
        "participant.placeholder_background_color",
        "placeholder_background",
        "color",
        "#000000",
        "Tile of who shows no picture",
    ),
    Option(
        "participant.aspect_ratio",
        "aspect_ratio",
        "ratio",
        None,
        "Shape of tiles, but of those that a shared screen is among",
    ),
    Option(
        "layout.forceMirrorParticipants",
        "mirrored",
        "boolean",
        False,
        "Mirror cameras, as guests see themselves; never a shared screen",
    ),
)
