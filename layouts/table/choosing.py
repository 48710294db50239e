"""Options of who is seen and heard, and of what changes by itself."""

from __future__ import annotations

from layouts.option import CANONICAL, TILED, Option

CHOOSING = (
    Option(
        "participant.filter",
        "participants",
        "filter",
        None,
        "Who is shown; who is not is still heard. See below",
        conflict="Documented for grid and spotlight alone, where it hides shared screens too; in single-participant "
        "the app follows it as well, but shows every shared screen.",
    ),
    Option(
        "audio.filter",
        "audible",
        "filter",
        None,
        "Who is heard; without it all are",
    ),
    Option(
        "custom_actions",
        "actions",
        "actions",
        None,
        "Other layouts and options while conditions hold. See below",
    ),
    Option(
        "custom_layout_override",
        "layout_override",
        "layout",
        None,
        "A layout in place of the one that is named",
        allowed=tuple(CANONICAL),
    ),
    Option(
        "custom_screen_share_layout_override",
        "screenshare_override",
        "layout",
        None,
        "A layout in place of screenshare_layout",
        allowed=tuple(CANONICAL),
    ),
    Option(
        "layout.rotate_seconds",
        "rotate_seconds",
        "integer",
        0,
        "Seconds after which grid and bar show the next guests of those who have no room; 0 never does",
        layouts=TILED,
        maximum=3600,
    ),
    Option(
        "layout.single-participant.mode",
        "mode",
        "choice",
        "default",
        "Who is shown while nobody is pinned: default follows the speaker, shuffle shows all in turn, in random order",
        layouts=("single-participant",),
        allowed=("default", "shuffle"),
    ),
    Option(
        "layout.single-participant.shuffle_delay",
        "shuffle_delay",
        "number",
        3500,
        "Milliseconds until shuffle shows the next one",
        layouts=("single-participant",),
        minimum=200,
        maximum=3_600_000,
        conflict="The app takes the option and always waits 3500; here it counts.",
    ),
)
