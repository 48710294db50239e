"""Options of the names on tiles."""

from __future__ import annotations

from layouts.option import Option

HORIZONTAL = ("center", "left", "right")
VERTICAL = ("top", "bottom", "center")

LABELS = (
    Option(
        "participant.label_display",
        "label_display",
        "boolean",
        True,
        "Show names",
        aliases=("participant_label.display",),
    ),
    Option(
        "participant.label_horizontal_position",
        "label_horizontal",
        "choice",
        "left",
        "Where in its tile a name stands",
        aliases=("participant_label.horizontal_position",),
        allowed=HORIZONTAL,
    ),
    Option(
        "participant.label_vertical_position",
        "label_vertical",
        "choice",
        "bottom",
        "Where in its tile a name stands",
        aliases=("participant_label.vertical_position",),
        allowed=VERTICAL,
    ),
    Option(
        "participant_label.margin_inline",
        "label_margin_inline",
        "length",
        0,
        "More room between a name and the left or right edge of its tile; percent are of the tile's width",
        maximum=1000,
    ),
    Option(
        "participant_label.margin_block",
        "label_margin_block",
        "length",
        0,
        "The same above or below; percent are of the tile's width, as in CSS",
        maximum=1000,
    ),
    Option(
        "participant.label_text_color",
        "label_text",
        "color",
        "#ffffff",
        "Colour of names",
        aliases=("participant_label.text_color",),
        conflict="Documented is black on a transparent ground, unreadable on the documented black background; white on "
        "a dark box is what the app shows.",
    ),
    Option(
        "participant.label_background_color",
        "label_background",
        "color",
        "#101216b8",
        "Colour behind names",
        aliases=("participant_label.background_color",),
        conflict="Documented is transparent under black text; see participant.label_text_color.",
    ),
    Option(
        "participant.label_display_border",
        "label_display_border",
        "boolean",
        True,
        "Draw a line around names",
        conflict="The app draws none by default; the documented one is taken.",
    ),
    Option(
        "participant_label.border_width",
        "label_border_width",
        "stroke",
        True,
        "Width of that line: true takes one that suits the canvas, false draws none",
        maximum=20,
        conflict="The app's is 0; the documented line is taken.",
    ),
    Option(
        "participant.label_border_color",
        "label_border",
        "color",
        "#cccccc",
        "Colour of that line",
        aliases=("participant_label.border_color",),
        conflict="The app's is transparent; the documented one is taken.",
    ),
    Option(
        "participant.label_border_rounded",
        "label_rounded",
        "boolean",
        True,
        "Round the corners of the box behind names",
    ),
    Option(
        "participant.label_border_radius",
        "label_radius",
        "radius",
        1.2,
        "Radius of those corners; percent in a string are of the box's height",
        aliases=("participant_label.border_radius",),
        maximum=50,
        conflict="Documented is 1.2 without a unit; see participant.video_border_radius.",
    ),
)
