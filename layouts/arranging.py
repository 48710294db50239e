"""Which tiles a layout has, and where they go: grid, spotlight, and the only picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layouts import geometry, ranking
from layouts.plan import Options
from layouts.scene import ParticipantView, Rect, Scene, Tile
from layouts.tiles import dressed

# The presenter's camera over a shared screen: a share of the canvas's width, as 240 pixels are of 1280.
_PRESENTER_SHARE = 240 / 1280
_PRESENTER_SHARE_PORTRAIT = 0.3
_PRESENTER_INSET = 10 / 720
_FRAME = frozenset({"border_width", "border", "border_rounded", "border_radius", "highlight", "highlight_width"})
"""Options of the line around a tile."""
_LARGEST_BAR = 0.8
"""Share of what margins leave, so that there is always a stage worth looking at."""


@dataclass(frozen=True, slots=True)
class View:
    """What one scene is made from."""

    asked: Options
    canvas: Rect
    guests: Sequence[ParticipantView]
    previous: Scene | None
    now: float

    def turn(self, seconds: float) -> int:
        """How often something that changes so often has changed."""
        return int(self.now // seconds)


def arranged(view: View) -> tuple[Tile, ...]:
    """The tiles of the layout that is on."""
    match view.asked.layout:
        case "grid":
            return _grid(view)
        case "spotlight":
            return _spotlight(view)
        case "single-participant":
            return _single(view)


def _single(view: View) -> tuple[Tile, ...]:
    asked, canvas = view.asked, view.canvas
    first = _on_stage(view)
    if first is None:
        return ()
    # A line marks one tile among several. Around the only picture it would look like a fault, so here it is
    # drawn only when it was asked for.
    framed = not asked.given.isdisjoint(_FRAME)
    across = asked.padding_inline.pixels(canvas, canvas.width)
    along = asked.padding_block.pixels(canvas, canvas.width)
    area = geometry.inset(canvas, across, along)
    rect = area if first.is_share or asked.aspect_ratio is None else geometry.box(area, _shape(view))
    stage = dressed(asked, canvas, first, rect, "stage", framed=framed)
    if not (first.is_share and asked.presenter_visible and _may_be_seen(asked, first.participant)):
        return (stage,)
    camera = ranking.Entry(first.participant, False)
    # Nothing can hide the corners of a picture that lies on another, so this one is not rounded.
    return (
        stage,
        dressed(asked, canvas, camera, _presenter(asked, canvas), "presenter", labelled=False, rounded=False),
    )


def _may_be_seen(asked: Options, presenter: ParticipantView) -> bool:
    """Whether there is a picture of them, and the filter, which shows every screen here, shows who shares it, too."""
    return ranking.shows(presenter) and (asked.participants is None or asked.participants.matches(presenter))


def _on_stage(view: View) -> ranking.Entry | None:
    """Who takes the only place. A shuffle leaves it to pins and shared screens."""
    first = ranking.foremost(view.guests, view.previous)
    if view.asked.mode != "shuffle" or first is None or first.is_share or first.participant.is_pinned:
        return first
    picked = ranking.shuffled(view.guests, view.turn(view.asked.shuffle_delay / 1000))
    return ranking.Entry(picked, False) if picked else None


def _presenter(asked: Options, canvas: Rect) -> Rect:
    """A corner of the canvas: the upper right one, the lower right one where the name is above."""
    portrait = canvas.height > canvas.width
    width = canvas.width * (_PRESENTER_SHARE_PORTRAIT if portrait else _PRESENTER_SHARE)
    gap = geometry.even(min(canvas.width, canvas.height) * _PRESENTER_INSET)
    across = max(2, geometry.even(width))
    down = max(2, geometry.even(min(width * (3 / 4 if portrait else 9 / 16), canvas.height / 2)))
    below = asked.label_vertical == "top" and asked.label_horizontal == "right"
    return Rect(canvas.right - gap - across, canvas.bottom - gap - down if below else gap, across, down)


def _grid(view: View) -> tuple[Tile, ...]:
    asked, canvas = view.asked, view.canvas
    chosen = _chosen(view, ranking.entries(view.guests, asked.presenter_visible), None, _capacity(asked, "page_size"))
    margin = _spacing(asked.margin.pixels(canvas, min(canvas.width, canvas.height)), canvas)
    beside = (1 - (asked.size_percentage / 100) ** 0.5) / 2
    area = geometry.inset(canvas, max(margin, canvas.width * beside), max(margin, canvas.height * beside))
    rects = _rects(view, area, chosen, asked.expand_tiles)
    return tuple(dressed(asked, canvas, entry, rect, "grid") for entry, rect in zip(chosen, rects, strict=False))


def _spotlight(view: View) -> tuple[Tile, ...]:
    asked, canvas = view.asked, view.canvas
    first = ranking.foremost(view.guests, view.previous)
    if first is None:
        return ()
    margin = _spacing(asked.margin.pixels(canvas, min(canvas.width, canvas.height)), canvas)
    inner = geometry.inset(canvas, margin, margin)
    stage_area, bar_area = _split(asked, canvas, inner, margin)
    others = [entry for entry in ranking.entries(view.guests, asked.presenter_visible) if entry.key != first.key]
    bar = _chosen(view, others, first, _bar_capacity(view, bar_area))
    shape = _shape(view, [first])
    stage = dressed(asked, canvas, first, geometry.box(stage_area if bar else inner, shape), "stage")
    rects = _rects(view, bar_area, bar, False)
    return (stage, *(dressed(asked, canvas, entry, rect, "bar") for entry, rect in zip(bar, rects, strict=False)))


def _chosen(
    view: View, candidates: Sequence[ranking.Entry], first: ranking.Entry | None, capacity: int
) -> list[ranking.Entry]:
    """Who has a tile beside the one on the stage. The camera of who shares the screen on it comes before all others."""
    previous = view.previous
    slots = ranking.visible_keys(previous)
    if first is not None and previous is not None and previous.layout == "spotlight":
        slots = slots[1:]  # who steps down from the stage takes the place of who steps up
    camera = (first.participant.session_id, False) if first is not None else None
    own = [entry for entry in candidates if entry.key == camera]
    rest = [entry for entry in candidates if entry.key != camera] if own else list(candidates)
    if own:
        slots = tuple(key for key in slots if key != camera)
    room = capacity - len(own)
    if view.asked.rotate_seconds and len(rest) > room:
        return own + ranking.page(rest, room, view.turn(view.asked.rotate_seconds))
    return own + ranking.choose(rest, slots, room)


def _capacity(asked: Options, limit: str) -> int:
    """How many tiles at most: columns × rows, or another limit, or both where both are given."""
    cells = asked.columns * asked.rows
    most = asked.page_size if limit == "page_size" else asked.bar_limit
    if most is None or limit not in asked.given:
        return cells
    return min(most, cells) if asked.given & {"columns", "rows"} else most


def _bar_capacity(view: View, area: Rect) -> int:
    asked = view.asked
    if asked.bar_limit is not None:
        return _capacity(asked, "bar_limit")
    shape, gap = _shape(view), _gap(view)
    across = asked.bar_position in ("top", "bottom")
    extent, thickness = (area.width, area.height) if across else (area.height, area.width)
    thickness = max(2, (thickness - gap * (asked.rows - 1)) // asked.rows)
    side = max(2.0, thickness * shape.widest if across else thickness / shape.widest)
    in_row = max(1, int((extent + gap) / (side + gap)))
    return asked.rows * (min(in_row, asked.columns) if "columns" in asked.given else in_row)


def _split(asked: Options, canvas: Rect, inner: Rect, margin: int) -> tuple[Rect, Rect]:
    """The area of the spotlight, and that of its bar."""
    share = asked.size_percentage / 100
    if asked.bar_position in ("top", "bottom"):
        bar = max(2, geometry.even(min(canvas.height * share, (inner.height - margin) * _LARGEST_BAR)))
        stage = max(2, geometry.even(inner.height - bar - margin))
        above, below = (bar, stage) if asked.bar_position == "top" else (stage, bar)
        upper = Rect(inner.x, inner.y, inner.width, above)
        lower = Rect(inner.x, inner.bottom - below, inner.width, below)
        return (lower, upper) if asked.bar_position == "top" else (upper, lower)
    bar = max(2, geometry.even(min(canvas.width * share, (inner.width - margin) * _LARGEST_BAR)))
    stage = max(2, geometry.even(inner.width - bar - margin))
    before, after = (bar, stage) if asked.bar_position == "left" else (stage, bar)
    left = Rect(inner.x, inner.y, before, inner.height)
    right = Rect(inner.right - after, inner.y, after, inner.height)
    return (right, left) if asked.bar_position == "left" else (left, right)


def _rects(view: View, area: Rect, chosen: Sequence[ranking.Entry], free: bool) -> tuple[Rect, ...]:
    """Where so many tiles go.

    Columns and rows that were asked for are kept; by default only their product counts, so that a portrait canvas gets
    the arrangement that suits it.
    """
    asked, count = view.asked, len(chosen)
    columns = asked.columns if "columns" in asked.given else max(count, 1)
    rows = asked.rows if "rows" in asked.given else max(count, 1)
    return geometry.tiles(count, area, _gap(view), _shape(view, chosen, free), columns, rows)


def _shape(view: View, entries: Sequence[ranking.Entry] = (), free: bool = False) -> geometry.Shape:
    """The shape of tiles: the one that was asked for, but where a shared screen is among them."""
    ratio = view.asked.aspect_ratio
    if ratio is not None and not any(entry.is_share for entry in entries):
        return geometry.Shape(ratio, ratio, free)
    shape = geometry.shape_of(view.canvas.width, view.canvas.height)
    return replace(shape, free=True) if free else shape


def _gap(view: View) -> int:
    canvas = view.canvas
    return _spacing(view.asked.cell_padding.pixels(canvas, min(canvas.width, canvas.height)), canvas)


def _spacing(pixels: int, canvas: Rect) -> int:
    """A distance as asked for, but never so great that it leaves no room for pictures."""
    return geometry.even(min(pixels, min(canvas.width, canvas.height) / 8))
