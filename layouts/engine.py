"""From the state of a call to the scene that a program shows: a pure function, one for all layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layouts import overlays, ranking
from layouts.arranging import View, arranged
from layouts.options import Options, canonical_name, parse_options
from layouts.scene import CallView, ParticipantView, Rect, Scene


def compose(
    layout_name: str,
    options: Mapping[str, Any] | Options,
    size: tuple[int, int],
    call: CallView,
    previous: Scene | None = None,
    *,
    now: float = 0.0,
    wall: float | None = None,
) -> Scene:
    """The scene of a call at one instant.

    ``size`` is (width, height) of the canvas in pixels, even and at least 16. ``options`` are those of the table in
    ``layouts.option_table``, or what ``parse_options`` made of them. ``previous`` is the scene shown until now: who
    is visible in it keeps their place. ``now`` (seconds, of any origin) is what rotations and shuffles go by, ``wall``
    (Unix time) what a time of day shows. Raises LayoutError for a layout or an option that cannot be honoured,
    ValueError for a canvas that cannot be encoded, or options that were read for another layout.
    """
    width, height = size
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise ValueError(f"a canvas has even sides of at least 16 pixels, not {width}×{height}")
    layout = canonical_name(layout_name)
    asked = options if isinstance(options, Options) else parse_options(layout, options)
    if asked.layout != layout:
        raise ValueError(f"options of {asked.layout} were given for {layout}")
    asked, guests = _in_force(asked, call)
    canvas = Rect(0, 0, width, height)
    return Scene(
        width,
        height,
        asked.background,
        arranged(View(asked, canvas, guests, previous, now)),
        asked.layout,
        overlays.backdrop(asked),
        overlays.logo(asked, canvas),
        overlays.title(asked, canvas),
        overlays.timestamp(asked, wall),
        asked.transition_ms,
    )


def _in_force(asked: Options, call: CallView) -> tuple[Options, Sequence[ParticipantView]]:
    """The options of the layout that is on, and who may be seen in it.

    A filter hides cameras and screens; but the only picture is a shared screen whoever shares it.
    """
    asked = asked.in_force(call)
    shared = asked.while_shared()
    sharing = [guest for guest in call.participants if ranking.shares(guest)]
    visible = _visible(shared, call.participants) if sharing else ()
    if shared.layout == "single-participant":
        screens = [guest for guest in sharing if guest not in visible]
        if sharing:
            return shared, (*visible, *screens)
    elif any(ranking.shares(guest) for guest in visible):
        return shared, visible
    return asked, _visible(asked, call.participants)


def _visible(asked: Options, guests: Sequence[ParticipantView]) -> Sequence[ParticipantView]:
    chosen = asked.participants
    return guests if chosen is None else [guest for guest in guests if chosen.matches(guest)]
