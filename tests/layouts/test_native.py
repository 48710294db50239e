"""The native painter, judged by the pixels that it makes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layouts.engine import compose
from layouts.lru import BoundedCache
from layouts.native import NativePainter, Painting, Patch
from layouts.scene import Border, CallView, Color, Label, Placeholder, Rect, Scene, Tile
from layouts.text import TextShaper
from tests.layouts.calls import call_of, guest

SIZE = (1280, 720)
WHITE = Color(255, 255, 255)
VIDEO = (40, 80, 120)
Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def painter() -> NativePainter:
    return NativePainter()


@pytest.fixture(scope="module")
def shaper() -> TextShaper:
    return TextShaper()


def scene_of(call: CallView, size: tuple[int, int] = SIZE, layout: str = "grid", **options: Any) -> Scene:
    named = {name.replace("__", "."): value for name, value in options.items()}
    return compose(layout, named, size, call)


def named(name: str, muted: bool = False) -> CallView:
    return CallView((replace(guest(0, name), has_audio=not muted),))


def picture(scene: Scene, painting: Painting) -> Pixels:
    """What the compositor makes of a painting: video of one colour, placeholders, then the patches."""
    pixels = painting.under.astype(np.float64)
    for index, tile in enumerate(scene.tiles):
        rect = tile.rect
        pixels[rect.y : rect.bottom, rect.x : rect.right] = painting.placeholders.get(index, (*VIDEO, 255))
    for patch in painting.over:
        rect = patch.rect
        below = pixels[rect.y : rect.bottom, rect.x : rect.right]
        below[:] = patch.rgba + below * (1 - patch.rgba[..., 3:] / 255)
    return np.rint(pixels).astype(np.uint8)


def label_patch(painter: NativePainter, name: str, muted: bool = False, **options: Any) -> Patch:
    """The only patch of a scene without borders: the label's box."""
    scene = scene_of(
        named(name, muted),
        participant__video_border_width=False,
        participant__video_border_rounded=False,
        participant__label_display_border=False,
        **options,
    )
    [patch] = painter.paint(scene).over
    return patch


def ink(patch: Patch) -> Pixels:
    """Where a label is brighter than its box."""
    bright: Pixels = patch.rgba[..., :3].max(axis=2) > 100
    return bright


def runs(columns: npt.NDArray[np.bool_]) -> int:
    """How many stretches of ink stand beside each other."""
    return int((np.diff(np.concatenate(([0], columns.astype(int)))) == 1).sum())


def begins_with_dots(letters: Pixels) -> bool:
    """Whether the leftmost three stretches of ink are low and narrow, as the dots of an ellipsis."""
    columns = letters.any(axis=0)
    starts = np.flatnonzero(np.diff(np.concatenate(([0], columns.astype(int)))) == 1)[:3]
    first = letters[:, starts[0] : starts[2] + 2]
    return bool(starts[2] - starts[0] < 16 and first.any(axis=1).sum() <= 4)


def test_a_scene_is_black_with_even_patches_inside_it(painter: NativePainter) -> None:
    scene = scene_of(call_of(9, speaking=(1,), without_video=(2,)))
    painting = painter.paint(scene)
    assert painting.under.shape == (720, 1280, 4)
    assert painting.under.dtype == np.uint8
    assert (painting.under == (0, 0, 0, 255)).all()
    assert list(painting.placeholders) == [8]
    for patch in painting.over:
        rect = patch.rect
        assert patch.rgba.shape == (rect.height, rect.width, 4)
        assert all(value % 2 == 0 for value in (rect.x, rect.y, rect.width, rect.height))
        assert rect.x >= 0 and rect.y >= 0 and rect.right <= 1280 and rect.bottom <= 720
        assert (patch.rgba[..., :3] <= patch.rgba[..., 3:]).all(), "premultiplied"
    covered = sum(patch.rect.width * patch.rect.height for patch in painting.over)
    assert covered < 0.1 * 1280 * 720, "only small rectangles lie over the video"


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(8, 300), st.integers(8, 300)).map(lambda half: (half[0] * 2, half[1] * 2)),
    st.integers(1, 20),
    st.integers(0, 100),
    st.integers(0, 50),
    st.text(max_size=30),
    st.sampled_from(["left", "center", "right"]),
    st.sampled_from(["top", "center", "bottom"]),
)
def test_patches_stay_in_their_tiles_whatever_is_asked(
    size: tuple[int, int], count: int, width: int, radius: int, name: str, horizontal: str, vertical: str
) -> None:
    painter = NativePainter()
    call = CallView(tuple(replace(guest(number), name=name) for number in range(count)))
    scene = scene_of(
        call,
        size,
        participant__video_border_width=width,
        participant__border_radius=radius,
        participant__label_horizontal_position=horizontal,
        participant__label_vertical_position=vertical,
    )
    tiles = [tile.rect for tile in scene.tiles]
    for patch in painter.paint(scene).over:
        rect = patch.rect
        assert rect.width > 0 and rect.height > 0
        assert all(value % 2 == 0 for value in (rect.x, rect.y, rect.width, rect.height))
        assert any(
            tile.x <= rect.x and rect.right <= tile.right and tile.y <= rect.y and rect.bottom <= tile.bottom
            for tile in tiles
        )


def test_the_label_stands_in_the_lower_left_corner_with_light_text_on_a_dark_box(painter: NativePainter) -> None:
    scene = scene_of(named("Anna Müller"))
    tile = scene.tiles[0].rect
    pixels = picture(scene, painter.paint(scene))
    corner = pixels[tile.bottom - 50 : tile.bottom - 10, tile.x + 10 : tile.x + 150, :3]
    elsewhere = pixels[tile.y + 60 : tile.bottom - 60, tile.x + 10 : tile.right - 10, :3]
    assert (corner.min(axis=2) > 230).sum() > 100, "white letters"
    assert (corner.max(axis=2) < 60).sum() > 1000, "a dark box"
    assert (elsewhere == VIDEO).all()


@pytest.mark.parametrize("horizontal", ["left", "center", "right"])
@pytest.mark.parametrize("vertical", ["top", "center", "bottom"])
def test_the_label_stands_where_it_was_asked_for(painter: NativePainter, horizontal: str, vertical: str) -> None:
    options = {
        "participant__label_horizontal_position": horizontal,
        "participant__label_vertical_position": vertical,
    }
    rect = label_patch(painter, "Eva", **options).rect
    x, y = rect.x + rect.width / 2, rect.y + rect.height / 2
    assert {"left": x < 200, "center": abs(x - 640) <= 2, "right": x > 1080}[horizontal]
    assert {"top": y < 100, "center": abs(y - 360) <= 2, "bottom": y > 620}[vertical]


@pytest.mark.parametrize(
    "name",
    ["Ελένη", "Зоя", "محمد علي", "שרה כהן", "สมชาย ใจดี", "अमित कुमार", "王小明", "김민수", "さくら", "Nguyễn", "😀🎉"],
)
def test_a_name_in_any_script_is_written_and_not_in_boxes(painter: NativePainter, name: str) -> None:
    written = label_patch(painter, name)
    assert ink(written).sum() > 30
    # A font without a letter shows the same box for every letter; letters that it has all differ.
    letters = sorted({letter for letter in name if letter.isalpha() or ord(letter) > 0x1F000})
    assert len({ink(label_patch(painter, letter)).tobytes() for letter in letters}) == len(letters) > 0


def test_an_emoji_keeps_its_colours(painter: NativePainter) -> None:
    red, green, blue = (label_patch(painter, "😀").rgba[..., channel].astype(int) for channel in range(3))
    assert ((red > 180) & (green > 120) & (blue < 120)).sum() > 50


def test_letters_of_a_script_that_joins_are_joined(painter: NativePainter) -> None:
    joined, apart = (ink(label_patch(painter, text)).any(axis=0) for text in ("محمد", "م\u200cح\u200cم\u200cد"))
    assert runs(joined) == 1
    assert runs(apart) > 1


def test_a_long_name_is_shortened_by_grapheme_and_stays_in_its_tile(painter: NativePainter, shaper: TextShaper) -> None:
    long = "👨‍👩‍👧" * 60
    short = shaper.shorten(long, 18, 200)
    assert short.endswith("…")
    assert set(short[:-1].replace("👨‍👩‍👧", "")) == set()
    assert 150 < shaper.width(short, 18) <= 200
    scene = compose("grid", {}, SIZE, CallView(tuple(guest(n, "Wolfeschlegelstein " * 9) for n in range(20))))
    tiles = {tile.rect for tile in scene.tiles}
    labels = [patch for patch in painter.paint(scene).over if patch.rect.height > 12 and patch.rect.width > 100]
    assert len(labels) >= 20
    assert all(patch.rect.width <= next(iter(tiles)).width for patch in labels)


def test_a_name_that_fits_is_not_shortened_and_one_without_room_is_left_out(shaper: TextShaper) -> None:
    assert shaper.shorten("Anna", 18, 500) == "Anna"
    assert shaper.shorten("Anna", 18, 5) == ""


def test_the_ellipsis_of_an_arabic_name_is_at_its_left(painter: NativePainter) -> None:
    arabic, latin = (ink(label_patch(painter, name)) for name in ("محمد علي " * 24, "Maximilian " * 24))
    assert arabic.shape[1] > 1150 and latin.shape[1] > 1150, "both were shortened"
    assert begins_with_dots(arabic)
    assert not begins_with_dots(arabic[:, ::-1])
    assert begins_with_dots(latin[:, ::-1])
    assert not begins_with_dots(latin)


def test_a_muted_guest_has_a_sign_before_their_name(painter: NativePainter) -> None:
    spoken, muted = label_patch(painter, "Eva"), label_patch(painter, "Eva", muted=True)
    reddish = (muted.rgba[..., 0] > 180) & (muted.rgba[..., 2] < 140)
    assert reddish.sum() > 15
    assert np.flatnonzero(reddish.any(axis=0)).max() < muted.rect.width / 2
    assert muted.rect.width > spoken.rect.width
    inside = muted.rgba[6:-6, 6:-6, 3]
    assert inside.min() >= spoken.rgba[6, 6, 3], "the box is whole behind it"
    assert ((spoken.rgba[..., 0] > 180) & (spoken.rgba[..., 2] < 140)).sum() == 0


def test_the_border_of_who_speaks_is_at_the_edge_in_its_colour(painter: NativePainter) -> None:
    scene = scene_of(call_of(2, speaking=(0,)))
    pixels = picture(scene, painter.paint(scene))
    speaker, other = (tile.rect for tile in scene.tiles)
    middle = speaker.y + speaker.height // 2
    assert tuple(pixels[middle, speaker.x, :3]) == (0x7C, 0xFC, 0x00)
    assert tuple(pixels[middle, speaker.right - 1, :3]) == (0x7C, 0xFC, 0x00)
    assert tuple(pixels[speaker.y, speaker.x + 100, :3]) == (0x7C, 0xFC, 0x00)
    assert tuple(pixels[speaker.bottom - 1, speaker.x + 300, :3]) == (0x7C, 0xFC, 0x00)
    assert tuple(pixels[middle, speaker.x + 3, :3]) == VIDEO
    assert tuple(pixels[middle, other.x, :3]) == (0xCC, 0xCC, 0xCC)
    assert tuple(pixels[middle, other.x + 1, :3]) == VIDEO


def test_a_rounded_tile_shows_the_background_at_its_corners(painter: NativePainter) -> None:
    scene = scene_of(call_of(1), video__background_color="#f2f2f2", participant__border_radius="40px")
    pixels = picture(scene, painter.paint(scene))
    rect = scene.tiles[0].rect
    for y in (rect.y, rect.bottom - 1):
        for x in (rect.x, rect.right - 1):
            assert tuple(pixels[y, x, :3]) == (0xF2, 0xF2, 0xF2)
    assert tuple(pixels[rect.y + 20, rect.x + 20, :3]) == VIDEO


def test_square_corners_are_drawn_to_the_end(painter: NativePainter) -> None:
    scene = scene_of(call_of(1), participant__border_radius=0, participant__video_border_width=5)
    pixels = picture(scene, painter.paint(scene))
    rect = scene.tiles[0].rect
    for y in (rect.y, rect.y + 4, rect.bottom - 1):
        for x in (rect.x, rect.x + 4, rect.right - 1):
            assert tuple(pixels[y, x, :3]) == (0xCC, 0xCC, 0xCC)
    assert tuple(pixels[rect.y + 5, rect.x + 5, :3]) == VIDEO


def test_a_translucent_border_lets_the_video_through(painter: NativePainter) -> None:
    scene = scene_of(call_of(1), participant__video_border_color="#ffffff80", participant__video_border_width=4)
    pixels = picture(scene, painter.paint(scene))
    rect = scene.tiles[0].rect
    expected = [128 + round(channel * 127 / 255) for channel in VIDEO]
    assert np.allclose(pixels[rect.y + 300, rect.x + 1, :3], expected, atol=1)


def test_a_translucent_border_is_of_one_colour_all_around_a_rounded_tile(painter: NativePainter) -> None:
    scene = scene_of(
        call_of(1),
        participant__video_border_color="#ffffff80",
        participant__video_border_width=12,
        participant__border_radius="60px",
        video__background_color="#000000",
    )
    pixels = picture(scene, painter.paint(scene))
    rect = scene.tiles[0].rect
    expected = [128 + round(channel * 127 / 255) for channel in VIDEO]
    # The middle of the line, on the side and where the corner is half way round.
    inward = round(60 - (60 - 6) * 2**-0.5)
    for y, x in ((rect.y + 300, rect.x + 6), (rect.y + inward, rect.x + inward), (rect.y + 6, rect.x + 61)):
        assert np.allclose(pixels[y, x, :3], expected, atol=2)


def test_the_placeholder_is_a_circle_with_initials_of_the_tile_s_size(painter: NativePainter) -> None:
    scene = scene_of(call_of(1, without_video=(0,)), participant__placeholder_background_color="#1f1f1f")
    tile = scene.tiles[0]
    pixels = painter.paint(scene).placeholders[0]
    avatar = tile.placeholder.avatar
    assert pixels.shape == (tile.rect.height, tile.rect.width, 4)
    assert (pixels[..., 3] == 255).all()
    assert tuple(pixels[5, 5, :3]) == (0x1F, 0x1F, 0x1F)
    middle = pixels[tile.rect.height // 2, :, :3]
    assert (middle == (avatar.red, avatar.green, avatar.blue)).all(axis=1).sum() > tile.rect.height * 0.2
    white = (pixels[..., :3] > 240).all(axis=2)
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(tile.rect.height / 2, abs=tile.rect.height * 0.02)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(tile.rect.width / 2, abs=tile.rect.height * 0.02)


def test_a_transparent_background_is_black_in_a_picture_that_cannot_be_transparent(painter: NativePainter) -> None:
    painting = painter.paint(scene_of(call_of(0), video__background_color="transparent"))
    assert (painting.under == (0, 0, 0, 255)).all()


def test_a_tile_s_background_lies_under_its_video(painter: NativePainter) -> None:
    tile = Tile(
        Rect(100, 50, 200, 100),
        "s0",
        "video",
        "fit",
        Color(10, 20, 30),
        Placeholder("A", Color(0, 0, 0), Color(1, 2, 3), WHITE),
    )
    painting = painter.paint(Scene(640, 360, Color(200, 200, 200), (tile,)))
    assert (painting.under[50:150, 100:300] == (10, 20, 30, 255)).all()
    assert (painting.under[:50] == (200, 200, 200, 255)).all()
    assert painting.over == ()


def test_two_painters_paint_the_same(painter: NativePainter) -> None:
    scene = scene_of(call_of(5, speaking=(2,), without_video=(1, 3)))
    one, other = painter.paint(scene), NativePainter().paint(scene)
    assert (picture(scene, one) == picture(scene, other)).all()
    assert [patch.rect for patch in one.over] == [patch.rect for patch in other.over]


def test_what_does_not_change_is_painted_once_and_cannot_be_written_to() -> None:
    painter = NativePainter()
    before = painter.paint(scene_of(call_of(9, speaking=(1,), without_video=(8,))))
    started = time.process_time()
    after = painter.paint(scene_of(call_of(9, speaking=(2,), without_video=(8,))))
    assert time.process_time() - started < 0.05
    assert after.under is before.under
    assert after.placeholders[8] is before.placeholders[8]
    kept = {id(patch) for patch in before.over} & {id(patch) for patch in after.over}
    assert len(kept) >= len(after.over) - 2 * 8
    with pytest.raises(ValueError, match="read-only"):
        after.under[0, 0] = 1


def test_a_label_without_room_is_left_out(painter: NativePainter) -> None:
    label = Label("Anna", "left", "bottom", WHITE, Color(0, 0, 0), None, 0, 0, 18)
    tile = replace(scene_of(call_of(1)).tiles[0], rect=Rect(0, 0, 20, 12), label=label, border=Border(WHITE, 0, 0))
    assert painter.paint(Scene(64, 64, WHITE, (tile,))).over == ()


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache: BoundedCache[bytes] = BoundedCache(10, len)
    made: list[str] = []

    def get(key: str, size: int) -> bytes:
        def make() -> bytes:
            made.append(key)
            return bytes(size)

        return cache.get(key, make)

    for key, size in [("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4), ("huge", 11), ("huge", 11)]:
        assert len(get(key, size)) == size
    assert made == ["a", "b", "c", "b", "huge", "huge"]
    assert cache.held_bytes <= 10
