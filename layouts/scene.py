"""What a program shows at one instant, as pure data: the contract between layouts, painters and the compositor.

All lengths are pixels of the canvas, all rectangles lie inside it. Rectangles that hold video have even
coordinates and sizes, because the pictures are 4:2:0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["video", "screen_share"]
ScaleMode = Literal["fit", "fill"]
Horizontal = Literal["left", "center", "right"]
Vertical = Literal["top", "center", "bottom"]
Moderation = Literal["show", "blur", "hide"]
Place = Literal["stage", "bar", "grid", "presenter"]
"""What a tile is in its layout: the one on the stage, one of the bar beside it, one of a grid, or the camera laid over
a shared screen."""


@dataclass(frozen=True, slots=True)
class Color:
    """A straight (not premultiplied) sRGB colour, each channel 0 to 255."""

    red: int
    green: int
    blue: int
    alpha: int = 255


@dataclass(frozen=True, slots=True)
class Rect:
    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def overlaps(self, other: Rect) -> bool:
        """Whether they have a pixel in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """One participant as a layout sees them. ``session_id`` is unique in the call, ``user_id`` need not be."""

    session_id: str
    user_id: str
    name: str
    roles: tuple[str, ...] = ()
    image: str | None = None
    has_video: bool = False
    has_audio: bool = False
    has_screen_share: bool = False
    is_speaking: bool = False
    is_dominant_speaker: bool = False
    is_pinned: bool = False
    joined_at: float = 0.0
    is_portrait: bool | None = None
    """Whether their camera's picture is taller than wide; None while that is not known."""
    moderation: Moderation = "show"
    """What a moderator lets be seen of their pictures."""
    pin_order: int = 0
    """Of those who are pinned, lower ones come first."""


@dataclass(frozen=True, slots=True)
class CallView:
    """The call at one instant. The order of participants is the order in which they joined."""

    participants: tuple[ParticipantView, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A participant's name. It is shortened with an ellipsis, by grapheme, to fit its tile."""

    text: str
    horizontal: Horizontal
    vertical: Vertical
    text_color: Color
    background: Color
    border: Color | None
    border_width: int
    radius: int
    font_size: int
    muted: bool = False
    margin_inline: int = 0
    margin_block: int = 0


@dataclass(frozen=True, slots=True)
class Border:
    color: Color
    width: int
    radius: int


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Shown where a tile has no picture: the initials of a name, or an avatar, on a colour."""

    initials: str
    background: Color
    avatar: Color
    text_color: Color
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Tile:
    """One participant's place on the canvas.

    ``source`` says which of their tracks fills it; the placeholder is what shows when there is no picture of
    that track (yet), and always when ``source`` is None.
    """

    rect: Rect
    session_id: str
    source: Source | None
    scale_mode: ScaleMode
    background: Color
    placeholder: Placeholder
    label: Label | None = None
    border: Border | None = None
    participant: ParticipantView | None = None
    """Who it is, for painters that style by state (speaking, pinned, muted, …)."""
    place: Place = "grid"
    blurred: bool = False
    """Whether the picture is made unrecognisable."""
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A picture behind the tiles. ``size``, ``position`` and ``repeat`` are CSS's background properties."""

    image: str
    size: str = "auto"
    position: str = "0% 0%"
    repeat: str = "repeat"


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture above everything. A side that is None follows from the other one and the picture's shape."""

    image: str
    width: int | None
    height: int | None
    horizontal: Horizontal
    vertical: Vertical
    margin_inline: int
    margin_block: int


@dataclass(frozen=True, slots=True)
class Title:
    """A line of text above everything."""

    text: str
    color: Color
    font_size: int
    horizontal: Horizontal
    vertical: Vertical
    margin_inline: int
    margin_block: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Canvas, background and tiles, painted in order (later tiles lie above earlier ones).

    ``layout`` is the layout that arranged them, which may be the one for screen shares: by it the next scene knows what
    the places of this one meant.
    """

    width: int
    height: int
    background: Color
    tiles: tuple[Tile, ...] = ()
    layout: str = ""
    backdrop: Backdrop | None = None
    logo: Logo | None = None
    title: Title | None = None
    timestamp: str = ""
    """The time of day to show, for those who look for faults; empty where none is asked for."""
    transition_ms: int = 0
    """How long tiles that are in this scene and in the one before take to their new places; 0 is a cut."""
