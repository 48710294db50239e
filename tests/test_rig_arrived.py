"""What of a guest arrived is found where it is, and missed where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig.arrived import Arrived, Piece, gaps, joined
from tests.rig.synthetic import mix, write_recording

NOON = 1_800_000_000.0
TILE = {0: (0, 0, 640, 360)}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds that begin on a whole second."""
    return write_recording(tmp_path_factory.mktemp("film") / "four.mp4", 4.0, TILE, mix([0], 4.0))


def test_parts_that_follow_one_another_have_no_hole(film: Path) -> None:
    arrived = Arrived.of([Piece(film, NOON + 4), Piece(film, NOON)])
    assert arrived.holes() == []
    assert arrived.missing_marks() == []
    assert (arrived.begin, arrived.end) == pytest.approx((NOON, NOON + 8), abs=0.05)
    assert arrived.behind == pytest.approx([0.0, 0.0], abs=0.005)


def test_a_part_that_begins_late_leaves_a_hole_of_that_length(film: Path) -> None:
    arrived = Arrived.of([Piece(film, NOON), Piece(film, NOON + 7)])
    assert arrived.holes() == [pytest.approx((NOON + 4, NOON + 7), abs=0.1)]
    assert arrived.missing_marks() == [int(NOON) + second for second in (5, 6)]


def test_parts_that_overlap_lose_nothing(film: Path) -> None:
    assert Arrived.of([Piece(film, NOON), Piece(film, NOON + 2)]).holes() == []


def test_a_file_in_the_wrong_place_is_no_picture_of_its_time(film: Path) -> None:
    arrived = Arrived.of([Piece(film, NOON + 0.5)])
    assert arrived.seen == []
    assert arrived.beeps == set()
    assert arrived.behind == pytest.approx([-0.5], abs=0.01)


def test_a_frozen_picture_and_a_hole_in_the_sound_are_holes(tmp_path: Path) -> None:
    heard = mix([0], 6.0)
    heard[int(4.25 * 48_000) : int(4.75 * 48_000)] = 0

    def shows(identity: int, index: int) -> int:
        return 36 if 36 <= index < 66 else index

    path = write_recording(tmp_path / "faults.mp4", 6.0, TILE, heard, shows)
    holes = Arrived.of([Piece(path, NOON)]).holes()
    assert holes == [
        pytest.approx((NOON + 1.5, NOON + 2.2), abs=0.1),
        pytest.approx((NOON + 4.25, NOON + 4.75), abs=0.05),
    ]


def test_spans_are_joined_where_they_touch_and_gaps_are_between_them() -> None:
    assert joined([(3.0, 4.0), (0.0, 1.0), (1.0, 2.0), (0.5, 1.5)]) == [(0.0, 2.0), (3.0, 4.0)]
    assert gaps([(1.0, 2.0), (3.0, 4.0)], 0.0, 5.0) == [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)]
    assert gaps([(0.0, 5.0)], 1.0, 4.0) == []


def test_a_picture_that_stands_still_is_told_from_a_hole_in_everything(tmp_path: Path) -> None:
    path = write_recording(
        tmp_path / "still.mp4", 4.0, TILE, mix([0], 4.0), lambda identity, index: 36 if 36 <= index < 66 else index
    )
    arrived = Arrived.of([Piece(path, NOON), Piece(path, NOON + 6)])
    still, nothing, still_again = arrived.holes()
    assert arrived.heard_through(still)
    assert not arrived.heard_through(nothing)
    assert arrived.heard_through(still_again)
