"""When recordings begin."""

from __future__ import annotations

import pytest

from egress.beginning import FIRST_DRAWING, FIRST_MEDIA, FIRST_PICTURE, FIRST_SHAPES, may_begin, may_orient
from egress.call.state import TrackState
from tests.media.fakes import FakeTrack


def track(portrait: bool | None) -> TrackState:
    return TrackState(FakeTrack("video", "vp8"), 0.0, portrait=portrait)


@pytest.mark.parametrize(
    ("waited", "painted", "come", "begins"),
    [
        (None, True, True, False),
        (FIRST_MEDIA - 0.01, True, True, False),
        (FIRST_MEDIA, True, True, True),
        (FIRST_MEDIA, True, False, False),
        (FIRST_PICTURE, True, False, True),
        (FIRST_PICTURE, False, True, False),
        (FIRST_DRAWING, False, False, True),
    ],
)
def test_a_recording_waits_for_its_first_pictures_but_not_for_long(
    waited: float | None, painted: bool, come: bool, begins: bool
):
    assert may_begin(waited, painted=painted, come=come) is begins


@pytest.mark.parametrize(
    ("waited", "portraits", "turns"),
    [
        (None, [True], False),
        (FIRST_MEDIA - 0.01, [], False),
        (FIRST_MEDIA, [], True),
        (FIRST_MEDIA, [True, False], True),
        (FIRST_MEDIA, [True, None], False),
        (FIRST_SHAPES, [True, None], True),
    ],
)
def test_a_canvas_is_turned_once_all_shapes_are_known_or_after_a_while(
    waited: float | None, portraits: list[bool | None], turns: bool
):
    assert may_orient(waited, map(track, portraits)) is turns


def test_a_track_that_is_gone_is_not_waited_for():
    assert may_orient(FIRST_MEDIA, [None, track(True)])
