"""What a tile looks like: label, border and placeholder, by options and by the state of a participant."""

from __future__ import annotations

from functools import lru_cache

from layouts import names
from layouts.plan import Options
from layouts.ranking import Entry, shows
from layouts.scene import Border, Color, Label, Place, Placeholder, Rect, Source, Tile

# Of the canvas's shorter side.
_LABEL_FONT = 0.025
_BORDER = 1 / 720
_HIGHLIGHT = 1 / 240
_SMALLEST_FONT = 8
_LABEL_HEIGHT = 1.6
"""Of a label's box, in font sizes."""
_WHITE = Color(255, 255, 255)


def dressed(
    asked: Options,
    canvas: Rect,
    entry: Entry,
    rect: Rect,
    place: Place,
    *,
    framed: bool = True,
    rounded: bool = True,
    labelled: bool = True,
) -> Tile:
    """The tile of an entry at a place of the canvas."""
    guest = entry.participant
    source: Source | None = "screen_share" if entry.is_share else "video" if shows(guest) else None
    name, initials, avatar = _called(guest.name, guest.user_id)
    return Tile(
        rect=rect,
        session_id=guest.session_id,
        source=source,
        scale_mode=asked.screenshare_scale_mode if entry.is_share else asked.scale_mode,
        background=asked.picture_background,
        placeholder=Placeholder(initials, asked.placeholder_background, avatar, _WHITE, guest.image),
        label=_label(asked, canvas, entry, rect, name) if labelled and asked.label_display else None,
        border=_border(asked, canvas, entry, rect, rounded) if framed else None,
        participant=guest,
        place=place,
        blurred=guest.moderation == "blur" and source is not None,
        mirrored=asked.mirrored and source == "video",
    )


@lru_cache(maxsize=4096)
def _called(name: str, user_id: str) -> tuple[str, str, Color]:
    """The name to show, initials, and the colour of the avatar."""
    shown = names.shown_name(name, user_id)
    return shown, names.initials(shown), names.avatar_color(user_id)


def _label(asked: Options, canvas: Rect, entry: Entry, rect: Rect, name: str) -> Label | None:
    if not name:
        return None
    shorter = min(canvas.width, canvas.height)
    font = max(_SMALLEST_FONT, round(min(shorter * _LABEL_FONT, rect.height * 0.11)))
    width = 0
    if asked.label_display_border:
        given = asked.label_border_width
        width = max(1, round(shorter * _BORDER)) if given is None else given.pixels(canvas, font)
    return Label(
        text=name,
        horizontal=asked.label_horizontal,
        vertical=asked.label_vertical,
        text_color=asked.label_text,
        background=asked.label_background,
        border=asked.label_border if width else None,
        border_width=width,
        radius=asked.label_radius.pixels(canvas, font * _LABEL_HEIGHT) if asked.label_rounded else 0,
        font_size=font,
        muted=not entry.is_share and not entry.participant.has_audio,
        margin_inline=asked.label_margin_inline.pixels(canvas, rect.width),
        margin_block=asked.label_margin_block.pixels(canvas, rect.width),
    )


def _border(asked: Options, canvas: Rect, entry: Entry, rect: Rect, rounded: bool) -> Border | None:
    shorter = min(canvas.width, canvas.height)
    side = min(rect.width, rect.height)
    radius = asked.border_radius.pixels(canvas, side) if rounded and asked.border_rounded else 0
    given = asked.border_width
    plain = max(1, round(shorter * _BORDER)) if given is None else given.pixels(canvas, side)
    if entry.is_share or not entry.participant.is_speaking:
        return Border(asked.border, plain, radius) if plain or radius else None
    if asked.highlight_width is not None:
        highlight = asked.highlight_width.pixels(canvas, side)
    elif given is not None:
        highlight = plain
    else:
        highlight = max(2, round(shorter * _HIGHLIGHT))
    return Border(asked.highlight, highlight, radius) if highlight or radius else None
