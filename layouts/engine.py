"""From the state of a call to the scene that a program shows: a pure function, one for all layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layouts import geometry, names, ranking
from layouts.options import Options, canonical_name, parse_options
from layouts.scene import Border, CallView, Color, Label, Placeholder, Rect, Scene, Tile

# The presenter's camera over a shared screen: a share of the canvas's width, as 240 pixels are of 1280.
_PRESENTER_SHARE = 240 / 1280
_PRESENTER_SHARE_PORTRAIT = 0.3
_PRESENTER_INSET = 10 / 720
# Of the canvas's shorter side.
_LABEL_FONT = 0.025
_BORDER = 1 / 720
_HIGHLIGHT = 1 / 240
_SMALLEST_FONT = 8


def compose(
    layout_name: str,
    options: Mapping[str, Any] | Options,
    size: tuple[int, int],
    call: CallView,
    previous: Scene | None = None,
) -> Scene:
    """The scene of a call at one instant.

    ``size`` is (width, height) of the canvas in pixels, even and at least 16. ``options`` are those of the table in
    ``layouts.options``, or what ``parse_options`` made of them. ``previous`` is the scene shown until now: who
    is visible in it keeps their place. Raises LayoutError for a layout or an option that cannot be honoured, ValueError
    for a canvas that cannot be encoded.
    """
    width, height = size
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise ValueError(f"a canvas has even sides of at least 16 pixels, not {width}×{height}")
    layout = canonical_name(layout_name)
    asked = options if isinstance(options, Options) else parse_options(layout, options)
    if layout != "single-participant" and any(guest.has_screen_share for guest in call.participants):
        if asked.screenshare_layout != layout:
            asked = asked.adapted(asked.screenshare_layout)
        layout = asked.screenshare_layout
    canvas = Rect(0, 0, width, height)
    arrange = {"grid": _grid, "spotlight": _spotlight, "single-participant": _single}[layout]
    return Scene(width, height, asked.background, arrange(asked, canvas, call, previous), layout)


def _single(asked: Options, canvas: Rect, call: CallView, previous: Scene | None) -> tuple[Tile, ...]:
    first = ranking.foremost(call, previous)
    if first is None:
        return ()
    # A line marks one tile among several. Around the only picture it would look like a fault, so here it is
    # drawn only when it was asked for.
    framed = any("border" in name or "highlight" in name for name in asked.given)
    stage = _tile(asked, canvas, first, canvas, framed=framed)
    if not (first.is_share and asked.presenter_visible and first.participant.has_video):
        return (stage,)
    camera = ranking.Entry(first.participant, False)
    # Nothing can hide the corners of a picture that lies on another, so this one is not rounded.
    return (stage, _tile(asked, canvas, camera, _presenter(asked, canvas), labelled=False, rounded=False))


def _presenter(asked: Options, canvas: Rect) -> Rect:
    """A corner of the canvas: the upper right one, the lower right one where the name is above."""
    portrait = canvas.height > canvas.width
    width = canvas.width * (_PRESENTER_SHARE_PORTRAIT if portrait else _PRESENTER_SHARE)
    gap = geometry.even(min(canvas.width, canvas.height) * _PRESENTER_INSET)
    across = max(2, geometry.even(width))
    down = max(2, geometry.even(min(width * (3 / 4 if portrait else 9 / 16), canvas.height / 2)))
    below = asked.label_vertical == "top" and asked.label_horizontal == "right"
    return Rect(canvas.right - gap - across, canvas.bottom - gap - down if below else gap, across, down)


def _grid(asked: Options, canvas: Rect, call: CallView, previous: Scene | None) -> tuple[Tile, ...]:
    slots = ranking.visible_keys(previous)
    chosen = ranking.choose(ranking.entries(call), slots, asked.columns * asked.rows)
    margin = _spacing(asked.margin.pixels(1), canvas)
    beside = (1 - (asked.size_percentage / 100) ** 0.5) / 2
    area = geometry.inset(canvas, max(margin, canvas.width * beside), max(margin, canvas.height * beside))
    rects = _tiles(asked, canvas, area, len(chosen))
    return tuple(_tile(asked, canvas, entry, rect) for entry, rect in zip(chosen, rects, strict=False))


def _spotlight(asked: Options, canvas: Rect, call: CallView, previous: Scene | None) -> tuple[Tile, ...]:
    first = ranking.foremost(call, previous)
    if first is None:
        return ()
    margin = _spacing(asked.margin.pixels(1), canvas)
    inner = geometry.inset(canvas, margin, margin)
    others = [entry for entry in ranking.entries(call) if entry.key != first.key]
    slots = ranking.visible_keys(previous)
    if previous is not None and previous.layout == "spotlight":
        slots = slots[1:]  # who steps down from the stage takes the place of who steps up
    camera = (first.participant.session_id, False)
    capacity = asked.columns * asked.rows
    own = [entry for entry in others if entry.key == camera]
    rest = [entry for entry in others if entry.key != camera]
    if own:  # the sharer's camera has a place of its own, before all others
        slots = tuple(key for key in slots if key != camera)
    bar = own + ranking.choose(rest, slots, capacity - len(own))
    area, bar_area = _split(asked, canvas, inner, margin) if bar else (inner, inner)
    shape = geometry.shape_of(canvas.width, canvas.height)
    stage = _tile(asked, canvas, first, geometry.box(area, shape))
    rects = _tiles(asked, canvas, bar_area, len(bar))
    return (stage, *(_tile(asked, canvas, entry, rect) for entry, rect in zip(bar, rects, strict=False)))


def _split(asked: Options, canvas: Rect, inner: Rect, margin: int) -> tuple[Rect, Rect]:
    """The area of the spotlight, and that of its bar."""
    share = asked.size_percentage / 100
    if asked.bar_position in ("top", "bottom"):
        bar = max(2, geometry.even(min(canvas.height * share, inner.height - margin - 2)))
        stage = max(2, geometry.even(inner.height - bar - margin))
        above, below = (bar, stage) if asked.bar_position == "top" else (stage, bar)
        upper = Rect(inner.x, inner.y, inner.width, above)
        lower = Rect(inner.x, inner.bottom - below, inner.width, below)
        return (lower, upper) if asked.bar_position == "top" else (upper, lower)
    bar = max(2, geometry.even(min(canvas.width * share, inner.width - margin - 2)))
    stage = max(2, geometry.even(inner.width - bar - margin))
    before, after = (bar, stage) if asked.bar_position == "left" else (stage, bar)
    left = Rect(inner.x, inner.y, before, inner.height)
    right = Rect(inner.right - after, inner.y, after, inner.height)
    return (right, left) if asked.bar_position == "left" else (left, right)


def _tiles(asked: Options, canvas: Rect, area: Rect, count: int) -> tuple[Rect, ...]:
    # Columns and rows that were asked for are kept; by default only their product counts, so that
    # a portrait canvas gets the arrangement that suits it.
    most = asked.columns * asked.rows
    columns = asked.columns if "columns" in asked.given else most
    rows = asked.rows if "rows" in asked.given else most
    gap = _spacing(asked.cell_padding.pixels(1), canvas)
    shape = geometry.shape_of(canvas.width, canvas.height)
    return geometry.tiles(min(count, most), area, gap, shape, columns, rows)


def _spacing(pixels: int, canvas: Rect) -> int:
    """A distance as asked for, but never so great that it leaves no room for pictures."""
    return geometry.even(min(pixels, min(canvas.width, canvas.height) / 8))


def _tile(
    asked: Options,
    canvas: Rect,
    entry: ranking.Entry,
    rect: Rect,
    *,
    framed: bool = True,
    rounded: bool = True,
    labelled: bool = True,
) -> Tile:
    guest = entry.participant
    name = names.shown_name(guest.name, guest.user_id)
    return Tile(
        rect=rect,
        session_id=guest.session_id,
        source="screen_share" if entry.is_share else "video" if guest.has_video else None,
        scale_mode=asked.screenshare_scale_mode if entry.is_share else asked.scale_mode,
        background=asked.background,
        placeholder=Placeholder(
            initials=names.initials(name),
            background=asked.placeholder_background,
            avatar=names.avatar_color(guest.user_id),
            text_color=Color(255, 255, 255),
            image=guest.image,
        ),
        label=_label(asked, canvas, entry, rect, name) if labelled and asked.label_display else None,
        border=_border(asked, canvas, entry, rounded) if framed else None,
    )


def _label(asked: Options, canvas: Rect, entry: ranking.Entry, rect: Rect, name: str) -> Label | None:
    if not name:
        return None
    shorter = min(canvas.width, canvas.height)
    font = max(_SMALLEST_FONT, round(min(shorter * _LABEL_FONT, rect.height * 0.11)))
    border_width = max(1, round(shorter * _BORDER))
    return Label(
        text=name,
        horizontal=asked.label_horizontal,
        vertical=asked.label_vertical,
        text_color=asked.label_text,
        background=asked.label_background,
        border=asked.label_border if asked.label_display_border else None,
        border_width=border_width if asked.label_display_border else 0,
        radius=asked.label_radius.pixels(shorter) if asked.label_rounded else 0,
        font_size=font,
        muted=not entry.is_share and not entry.participant.has_audio,
    )


def _border(asked: Options, canvas: Rect, entry: ranking.Entry, rounded: bool) -> Border | None:
    shorter = min(canvas.width, canvas.height)
    radius = asked.border_radius.pixels(shorter) if rounded and asked.border_rounded else 0
    plain = max(1, round(shorter * _BORDER)) if asked.border_width is None else asked.border_width.pixels(shorter)
    if not (entry.participant.is_speaking and not entry.is_share):
        return Border(asked.border, plain, radius) if plain or radius else None
    if asked.highlight_width is not None:
        highlight = asked.highlight_width.pixels(shorter)
    elif asked.border_width is not None:
        highlight = plain
    else:
        highlight = max(2, round(shorter * _HIGHLIGHT))
    return Border(asked.highlight, highlight, radius) if highlight or radius else None
