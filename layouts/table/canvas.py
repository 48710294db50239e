"""Options of the canvas, and of how pictures meet their tiles."""

from __future__ import annotations

from typing import get_args

from layouts.option import Option
from layouts.scene import ScaleMode

CANVAS = (
    Option(
        "video.background_color",
        "picture_background",
        "color",
        "#000000",
        "What a picture leaves free of its tile; the canvas too, where layout.background_color says nothing else",
    ),
    Option(
        "layout.background_color",
        "background",
        "color",
        None,
        "The canvas; what pictures leave free too, where video.background_color says nothing else",
        conflict="The documented tables know one background, the app two. Either one alone colours both.",
    ),
    Option(
        "layout.background_image",
        "backdrop_image",
        "url",
        None,
        "A picture behind the tiles; CSS's url(…) is understood",
    ),
    Option("layout.background_size", "backdrop_size", "background size", "auto", "As in CSS"),
    Option("layout.background_position", "backdrop_position", "background position", "0% 0%", "As in CSS"),
    Option(
        "layout.background_repeat",
        "backdrop_repeat",
        "choice",
        "repeat",
        "As in CSS",
        allowed=("repeat", "no-repeat", "repeat-x", "repeat-y"),
    ),
    Option(
        "video.scale_mode",
        "scale_mode",
        "choice",
        "fill",
        "How a camera's picture meets its tile: fill crops, fit pads",
        allowed=get_args(ScaleMode),
        conflict="The app fits tall pictures, and all on the stage of a spotlight; documented is fill.",
    ),
    Option(
        "video.screenshare_scale_mode",
        "screenshare_scale_mode",
        "choice",
        "fit",
        "The same for a shared screen",
        allowed=get_args(ScaleMode),
    ),
    Option(
        "layout.transition_ms",
        "transition_ms",
        "integer",
        0,
        "Milliseconds in which tiles glide to new places; 0 is a cut",
        maximum=2000,
    ),
    Option(
        "debug.show_timestamp",
        "show_timestamp",
        "boolean",
        False,
        "Show the time of day (UTC), to find what is late or missing",
    ),
)
