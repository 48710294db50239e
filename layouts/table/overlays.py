"""Options of what lies above all pictures: logo and title."""

from __future__ import annotations

from layouts.option import Option
from layouts.table.labels import HORIZONTAL, VERTICAL

_EDGE = ".875rem"

OVERLAYS = (
    Option("logo.image_url", "logo_image", "url", "", "A picture above everything"),
    Option(
        "logo.width",
        "logo_width",
        "length or auto",
        "auto",
        "Its width; auto follows from its height. Percent are of the canvas's width",
        minimum=1,
        maximum=4000,
    ),
    Option(
        "logo.height",
        "logo_height",
        "length or auto",
        "40px",
        "Its height; auto, and the default where a width is given, follow from its width. Percent are of the canvas's "
        "height",
        minimum=1,
        maximum=4000,
    ),
    Option(
        "logo.horizontal_position",
        "logo_horizontal",
        "choice",
        "center",
        "Where on the canvas it stands",
        allowed=HORIZONTAL,
        conflict="The app's is right; the documented one is taken.",
    ),
    Option(
        "logo.vertical_position",
        "logo_vertical",
        "choice",
        "top",
        "Where on the canvas it stands",
        allowed=VERTICAL,
        conflict="The app's is bottom; the documented one is taken.",
    ),
    Option(
        "logo.margin_inline",
        "logo_margin_inline",
        "length",
        _EDGE,
        "Between it and the left or right edge; percent are of the canvas's width",
        maximum=4000,
    ),
    Option(
        "logo.margin_block",
        "logo_margin_block",
        "length",
        _EDGE,
        "The same above or below; percent are of the canvas's width, as in CSS",
        maximum=4000,
    ),
    Option("title.text", "title_text", "text", "", "A line of text above everything"),
    Option("title.color", "title_color", "color", "white", "Its colour"),
    Option(
        "title.font_size",
        "title_size",
        "length",
        "30px",
        "Its size; percent are of the canvas's shorter side",
        minimum=1,
        maximum=1000,
    ),
    Option(
        "title.horizontal_position",
        "title_horizontal",
        "choice",
        "left",
        "Where on the canvas it stands",
        allowed=HORIZONTAL,
    ),
    Option(
        "title.vertical_position",
        "title_vertical",
        "choice",
        "top",
        "Where on the canvas it stands",
        allowed=VERTICAL,
    ),
    Option(
        "title.margin_inline",
        "title_margin_inline",
        "length",
        _EDGE,
        "Between it and the left or right edge; percent are of the canvas's width",
        maximum=4000,
    ),
    Option(
        "title.margin_block",
        "title_margin_block",
        "length",
        _EDGE,
        "The same above or below; percent are of the canvas's width, as in CSS",
        maximum=4000,
    ),
)
