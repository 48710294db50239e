"""Backdrops, logos, titles, times and avatars of the native painter, judged by the pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from layouts.engine import compose
from layouts.native import NativePainter, Patch
from layouts.scene import Backdrop, Border, CallView, Color, Label, Logo, Rect, Scene, Title
from tests.layouts.calls import call_of, guest
from tests.layouts.stills import Stills, plain, quarters
from tests.layouts.test_native import VIDEO, WHITE, ink, picture

GREY = Color(0x40, 0x40, 0x40)
SIZE = (640, 360)


def empty(**parts: Any) -> Scene:
    return Scene(*SIZE, GREY, **parts)


def logo(**differently: Any) -> Logo:
    return Logo(**{
        "image": "logo", "width": None, "height": 40, "horizontal": "right", "vertical": "bottom",
        "margin_inline": 14, "margin_block": 10, **differently,
    })  # fmt: skip


def title(**differently: Any) -> Title:
    return Title(**{
        "text": "Weekly", "color": WHITE, "font_size": 30, "horizontal": "left", "vertical": "top",
        "margin_inline": 14, "margin_block": 10, **differently,
    })  # fmt: skip


def box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is true."""
    ys, xs = np.nonzero(mask)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def near(pixels: npt.NDArray[np.uint8], color: tuple[int, int, int], most: int = 12) -> npt.NDArray[np.bool_]:
    close: npt.NDArray[np.bool_] = (np.abs(pixels[..., :3].astype(int) - color) <= most).all(axis=-1)
    return close


def test_a_backdrop_covers_the_canvas_and_is_cut_in_the_middle() -> None:
    stills = Stills(room=quarters(400, 400))
    under = NativePainter(stills).paint(empty(backdrop=Backdrop("room", "cover", "center", "no-repeat"))).under
    for (x, y), color in {(5, 5): (255, 0, 0), (630, 5): (0, 255, 0), (5, 350): (0, 0, 255)}.items():
        assert near(under[y, x], color)
    assert (under[..., 3] == 255).all()
    assert near(under[177, 317], (255, 0, 0), 40) and near(under[183, 323], (255, 255, 255), 40), "the middle"


def test_a_backdrop_that_is_contained_leaves_the_colour_beside_it() -> None:
    stills = Stills(room=plain(100, 100, (200, 0, 0)))
    scene = empty(backdrop=Backdrop("room", "contain", "right", "no-repeat"))
    under = NativePainter(stills).paint(scene).under
    assert box(near(under, (200, 0, 0))) == (280, 0, 640, 360)
    assert near(under[:, :279], (0x40, 0x40, 0x40)).all()


def test_a_translucent_backdrop_lets_the_colour_through() -> None:
    stills = Stills(room=plain(8, 8, (255, 255, 255, 128)))
    under = NativePainter(stills).paint(empty(backdrop=Backdrop("room"))).under
    assert near(under, (0x40 // 2 + 128,) * 3, 2).all()


@pytest.mark.parametrize("side", [4, 20])
def test_a_small_backdrop_is_repeated_over_the_whole_canvas(side: int) -> None:
    stills = Stills(room=quarters(side, side))
    under = NativePainter(stills).paint(empty(backdrop=Backdrop("room"))).under
    period = under[: 360 // side * side, : 640 // side * side].reshape(360 // side, side, 640 // side, side, 4)
    assert (period == period[:1, :, :1]).all()
    assert near(under[0, 0], (255, 0, 0)) and near(under[0, side // 2], (0, 255, 0))


def test_a_backdrop_of_one_pixel_is_drawn_in_no_time_worth_telling() -> None:
    scene = Scene(2560, 1440, GREY, backdrop=Backdrop("dot", "1px 1px"))
    under = NativePainter(Stills(dot=plain(1, 1, (9, 99, 199)))).paint(scene).under
    assert near(under, (9, 99, 199), 2).all()


def test_a_backdrop_in_words_that_nobody_knows_leaves_the_colour(caplog: pytest.LogCaptureFixture) -> None:
    stills = Stills(room=plain(8, 8, (255, 0, 0)))
    under = NativePainter(stills).paint(empty(backdrop=Backdrop("room", size="huge"))).under
    assert near(under, (0x40, 0x40, 0x40), 0).all()
    assert "'huge'" in caplog.text


def test_round_corners_show_the_backdrop_and_a_tile_does_not() -> None:
    stills = Stills(room=quarters(640, 360))
    scene = compose(
        "grid", {"participant.border_radius": "60px", "video.background_color": "#101010"}, SIZE, call_of(1)
    )
    scene = replace(scene, backdrop=Backdrop("room", "cover", "center", "no-repeat"))
    painter = NativePainter(stills)
    pixels = picture(scene, painter.paint(scene))
    rect = scene.tiles[0].rect
    for x, y, color in (
        (rect.x + 2, rect.y + 2, (255, 0, 0)),
        (rect.right - 3, rect.y + 2, (0, 255, 0)),
        (rect.x + 2, rect.bottom - 3, (0, 0, 255)),
        (rect.right - 3, rect.bottom - 3, (255, 255, 255)),
    ):
        assert near(pixels[y, x], color)
    assert near(pixels[180, 320], VIDEO)
    assert near(painter.paint(scene).under[180, 320], (16, 16, 16), 0), "a picture that does not fill its tile"


def test_a_logo_keeps_its_shape_and_its_margins() -> None:
    stills = Stills(logo=plain(300, 100, (0, 200, 0)))
    scene = empty(logo=logo())
    pixels = picture(scene, NativePainter(stills).paint(scene))
    assert box(near(pixels, (0, 200, 0))) == (640 - 14 - 120, 360 - 10 - 40, 640 - 14, 360 - 10)


@pytest.mark.parametrize(
    ("differently", "expected"),
    [
        ({"height": None, "width": 90}, (536, 320, 626, 350)),
        ({"height": None}, (326, 250, 626, 350)),
        ({"width": 60, "height": 60}, (566, 330, 626, 350)),
        ({"horizontal": "center", "vertical": "center"}, (260, 160, 380, 200)),
        ({"horizontal": "left", "vertical": "top", "margin_inline": 0, "margin_block": 0}, (0, 0, 120, 40)),
        ({"height": 5000}, (14, 146, 626, 350)),
    ],
)
def test_a_logo_s_sides_follow_from_what_was_asked_for(
    differently: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    stills = Stills(logo=plain(300, 100, (0, 200, 0)))
    scene = empty(logo=logo(**differently))
    found = box(near(picture(scene, NativePainter(stills).paint(scene)), (0, 200, 0), 60))
    assert found == pytest.approx(expected, abs=1)


def test_a_logo_stands_above_tiles_labels_and_borders() -> None:
    stills = Stills(logo=plain(100, 100, (0, 200, 0)))
    scene = compose("single-participant", {}, SIZE, call_of(1))
    scene = replace(scene, logo=logo(horizontal="left", margin_inline=0, margin_block=0))
    painting = NativePainter(stills).paint(scene)
    assert painting.signs == 1 and painting.over[-1].rect == Rect(0, 320, 40, 40)
    assert box(near(picture(scene, painting), (0, 200, 0))) == (0, 320, 40, 360)


def test_a_logo_that_has_not_come_is_left_out_and_drawn_when_it_has() -> None:
    stills = Stills()
    painter = NativePainter(stills)
    scene = empty(logo=logo(), backdrop=Backdrop("room"))
    before = painter.paint(scene)
    assert before.over == () and near(before.under, (0x40, 0x40, 0x40), 0).all()
    assert {"logo", "room"} <= set(stills.asked)
    stills.images = {"logo": plain(10, 10, (1, 2, 3)), "room": plain(10, 10, (4, 5, 6))}
    after = painter.paint(scene)
    assert len(after.over) == 1 and near(after.under, (4, 5, 6), 0).all()


def test_a_logo_of_another_picture_is_drawn_anew_and_the_same_one_is_not() -> None:
    stills = Stills(logo=plain(10, 10, (1, 2, 3)))
    painter = NativePainter(stills)
    scene = empty(logo=logo())
    first = painter.paint(scene)
    assert painter.paint(scene).over[0] is first.over[0]
    stills.images["logo"] = plain(10, 10, (200, 2, 3))
    assert painter.paint(scene).over[0] is not first.over[0]


@pytest.mark.parametrize("horizontal", ["left", "center", "right"])
@pytest.mark.parametrize("vertical", ["top", "center", "bottom"])
def test_a_title_stands_where_it_was_asked_for(horizontal: Any, vertical: Any) -> None:
    scene = empty(title=title(horizontal=horizontal, vertical=vertical))
    left, top, right, bottom = box(near(picture(scene, NativePainter().paint(scene)), (255, 255, 255)))
    assert {"left": abs(left - 14) <= 3, "center": abs(left + right - 640) <= 6, "right": abs(right - 626) <= 3}[
        horizontal
    ]
    assert {"top": top < 30, "center": abs(top + bottom - 360) <= 14, "bottom": bottom > 325}[vertical]
    assert 15 < bottom - top < 36


def test_a_title_can_be_read_on_white_and_is_cut_at_the_canvas() -> None:
    scene = Scene(*SIZE, WHITE, title=title(text="Weekly " * 40))
    painting = NativePainter().paint(scene)
    rect = painting.over[0].rect
    assert rect.x >= 0 and rect.right <= 640
    pixels = picture(scene, painting)
    assert pixels[10:50, 14:600, :3].min() < 150, "its shadow"
    dark = empty(title=title(text="Weekly " * 40))
    left, _, right, _ = box(near(picture(dark, NativePainter().paint(dark)), (255, 255, 255)))
    assert left >= 12 and 560 < right <= 628


def test_a_title_without_room_is_left_out() -> None:
    assert NativePainter().paint(empty(title=title(margin_inline=330))).over == ()
    assert NativePainter().paint(empty(title=title(margin_block=900))).over == ()


def test_the_time_stands_in_the_middle_above_on_a_dark_box() -> None:
    scene = Scene(*SIZE, WHITE, timestamp="12:34:56.789")
    [patch] = NativePainter().paint(scene).over
    assert patch.rect.y == 0 and abs(patch.rect.x + patch.rect.right - 640) <= 2
    assert ink(patch).sum() > 100
    assert picture(scene, NativePainter().paint(scene))[4, patch.rect.x + 6 : patch.rect.right - 6].min() < 100


def labelled(**margins: int) -> Patch:
    label = Label("Anna", "right", "top", WHITE, Color(0, 0, 0), None, 0, 0, 18, **margins)
    tile = replace(compose("grid", {}, SIZE, call_of(1)).tiles[0], rect=Rect(20, 10, 400, 200), label=label)
    [patch] = NativePainter().paint(empty(tiles=(replace(tile, border=Border(WHITE, 0, 0)),))).over
    return patch


def test_a_label_keeps_its_margins_from_the_tile_s_edges() -> None:
    plain_one, moved = labelled().rect, labelled(margin_inline=30, margin_block=50).rect
    assert (plain_one.x - moved.x, moved.y - plain_one.y) == (30, 50)


def test_a_label_whose_margin_is_greater_than_its_tile_stays_on_it() -> None:
    low = labelled(margin_block=5000).rect
    assert low.bottom <= 210 and low.height > 20
    assert NativePainter().paint(empty(tiles=())).over == ()


def with_avatar(image: str | None) -> Scene:
    call = CallView((replace(guest(0, "Eva"), has_video=False, image=image),))
    return compose("single-participant", {"participant.placeholder_background_color": "#202020"}, SIZE, call)


def test_an_avatar_is_a_round_picture_in_the_middle_and_initials_show_until_it_comes() -> None:
    stills = Stills()
    painter = NativePainter(stills)
    tile = with_avatar("eva").tiles[0]
    initials = painter.placeholder(tile)
    assert near(initials, (255, 255, 255)).sum() > 100
    stills.images["eva"] = quarters(400, 200)
    avatar = painter.placeholder(tile)
    radius = round(360 * 0.23)
    assert box(~near(avatar, (0x20, 0x20, 0x20))) == pytest.approx(
        (320 - radius, 180 - radius, 320 + radius, 180 + radius), abs=2
    )
    for (dx, dy), color in {(-30, -30): (255, 0, 0), (30, -30): (0, 255, 0), (-30, 30): (0, 0, 255)}.items():
        assert near(avatar[180 + dy, 320 + dx], color)
    corner = round(radius * 0.8)
    assert near(avatar[180 - corner, 320 - corner], (0x20, 0x20, 0x20), 2), "round, not square"
    assert painter.placeholder(tile) is avatar


def test_an_avatar_of_another_person_is_another_picture() -> None:
    painter = NativePainter(Stills(one=plain(9, 9, (255, 0, 0)), two=plain(9, 9, (0, 0, 255))))
    assert near(painter.placeholder(with_avatar("one").tiles[0])[180, 320], (255, 0, 0))
    assert near(painter.placeholder(with_avatar("two").tiles[0])[180, 320], (0, 0, 255))
