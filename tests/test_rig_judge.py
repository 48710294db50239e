"""The judge finds every fault that was put into a recording, and none in a perfect one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.rig import picture, sound
from tests.rig.judge import Judged, Stats, judge, main
from tests.rig.judge_pictures import Rect
from tests.rig.synthetic import as_sent, mix, write_recording

GRID: dict[int, Rect] = {0: (0, 0, 320, 180), 1: (320, 0, 320, 180), 2: (0, 180, 320, 180), 3: (320, 180, 320, 180)}
SECONDS = 6.0


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    path = tmp_path_factory.mktemp("perfect") / "call.mp4"
    return judge(write_recording(path, SECONDS, GRID, mix([0, 1, 2, 3], SECONDS)))


def test_a_perfect_recording_has_no_fault(perfect: Judged) -> None:
    assert perfect.identities() == [0, 1, 2, 3]
    assert perfect.tiles_at(3.0) == GRID
    assert perfect.longest_video_gap() == pytest.approx(1 / 30, abs=1e-3)
    assert perfect.frame_rate == pytest.approx(30, abs=0.01)
    assert perfect.holes(0, SECONDS) == []
    for guest in GRID:
        assert perfect.presence(guest) == pytest.approx(1.0)
        assert len(perfect.flashes(guest)) == 5  # the one at second 0 has no picture before it
        assert perfect.beeps(guest) == pytest.approx([1, 2, 3, 4, 5], abs=0.002)
        assert Stats.of(perfect.av_offsets(guest)).worst < 0.002
        assert Stats.of(perfect.cadence(guest)).worst < 0.001
        motion = perfect.motion(guest)
        assert (motion.repeated, motion.dropped) == (0, 0)
        assert motion.longest_frozen < 0.04
        assert perfect.silences(guest, 0.05, SECONDS - 0.05) == []
        assert perfect.hum_level(guest) == pytest.approx(-38, abs=1.5)
    assert Stats.of(perfect.flash_spreads()).worst == 0
    assert perfect.video_duration == pytest.approx(SECONDS, abs=0.001)
    assert perfect.audio_duration == pytest.approx(SECONDS, abs=0.03)
    assert perfect.container_duration == pytest.approx(SECONDS, abs=0.03)


def test_the_table_names_every_guest(perfect: Judged) -> None:
    lines = perfect.summary().splitlines()
    assert "640x360 at 30.00 fps" in lines[1]
    assert [line.split()[0] for line in lines[-4:]] == ["0", "1", "2", "3"]


def test_the_summary_can_be_had_from_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(write_recording(tmp_path / "x.mp4", 2, {6: GRID[0]}, mix([6], 2)))])
    printed = capsys.readouterr().out
    assert "video 2.000 s" in printed
    assert printed.splitlines()[-1].split()[:2] == ["6", "100.0%"]


def test_sound_that_is_80_ms_early_shows_as_offset(tmp_path: Path) -> None:
    late = 0.080
    heard = np.roll(mix([0, 1], 4), -round(late * sound.RATE))
    judged = judge(write_recording(tmp_path / "x.mp4", 4, {0: GRID[0], 1: GRID[1]}, heard))
    for guest in (0, 1):
        assert judged.av_offsets(guest) == pytest.approx([late] * 3, abs=0.002)


def test_one_guest_late_by_two_pictures_shows_as_spread(tmp_path: Path) -> None:
    def shows(guest: int, index: int) -> int:
        return index - 2 if guest == 1 else index

    judged = judge(write_recording(tmp_path / "x.mp4", 4, {0: GRID[0], 1: GRID[1]}, None, shows))
    assert judged.sound is None
    assert judged.flash_spreads() == pytest.approx([2 / 30] * 4, abs=0.001) or judged.flash_spreads() == pytest.approx(
        [2 / 30] * 3, abs=0.001
    )


def test_a_hole_of_100_ms_is_measured(tmp_path: Path) -> None:
    heard = mix([0, 1], 4)
    heard[round(2.3 * sound.RATE) : round(2.4 * sound.RATE)] = 0
    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, heard))
    [(start, end)] = judged.holes(0.1, 3.9)
    assert start == pytest.approx(2.3, abs=0.006)
    assert end - start == pytest.approx(0.1, abs=0.012)


def test_one_guest_missing_from_the_mix_is_noticed_though_others_sound(tmp_path: Path) -> None:
    heard = mix([0, 1], 4)
    gone = slice(round(2.30 * sound.RATE), round(2.35 * sound.RATE))
    heard[gone] -= mix([1], 4)[gone]
    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, heard))
    assert judged.holes(0.1, 3.9) == []
    assert judged.silences(0, 0.1, 3.9) == []
    [(start, end)] = judged.silences(1, 0.1, 3.9)
    assert start == pytest.approx(2.30, abs=0.005)
    assert end == pytest.approx(2.35, abs=0.005)


def test_a_freeze_of_two_seconds_is_measured(tmp_path: Path) -> None:
    def shows(guest: int, index: int) -> int:
        return 40 if guest == 2 and 40 <= index < 101 else index

    judged = judge(write_recording(tmp_path / "x.mp4", 5, GRID, None, shows))
    assert judged.motion(2).longest_frozen == pytest.approx(61 / 30, abs=0.001)
    assert judged.motion(2).repeated == 60
    assert judged.motion(1).longest_frozen < 0.04


def test_repeated_and_dropped_pictures_are_counted(tmp_path: Path) -> None:
    def shows(guest: int, index: int) -> int:
        if guest == 0 and index in (50, 71):
            return index - 1
        return index + 2 if guest == 1 and index >= 65 else index

    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, None, shows))
    repeats, jumps = judged.motion(0), judged.motion(1)
    assert (repeats.repeated, repeats.dropped) == (2, 2)  # a repeat takes the place of a picture
    assert (jumps.repeated, jumps.dropped) == (0, 2)
    assert repeats.uneven == pytest.approx(4 / 119)
    assert Stats.of(judged.cadence(1)).worst == pytest.approx(2 / 30, abs=0.001)
    assert Stats.of(judged.cadence(0)).worst < 0.001


def test_a_gap_between_pictures_is_measured(tmp_path: Path) -> None:
    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, None, skip=frozenset(range(70, 75))))
    assert judged.longest_video_gap() == pytest.approx(6 / 30, abs=0.001)
    assert judged.longest_video_gap(0, 2) == pytest.approx(1 / 30, abs=0.001)


def test_a_guest_who_comes_late_and_leaves_early_is_present_just_then(tmp_path: Path) -> None:
    def shows(guest: int, index: int) -> int | None:
        return index if guest != 3 or 45 <= index < 90 else None

    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, None, shows))
    [(start, end)] = judged.views(3)
    assert start == pytest.approx(1.5, abs=0.001)
    assert end == pytest.approx(3.0, abs=0.001)
    assert judged.presence(3) == pytest.approx(45 / 120)
    assert judged.presence(3, 1.5, 3.0) == pytest.approx(1.0)
    assert judged.presence(5) == 0.0
    assert judged.identities() == [0, 1, 2, 3]
    assert 3 not in judged.tiles_at(1.0)


def test_a_silenced_guest_is_seen_but_not_heard(tmp_path: Path) -> None:
    judged = judge(write_recording(tmp_path / "x.mp4", 4, GRID, mix([0, 1, 2], 4)))
    assert judged.beeps(3) == []
    assert len(judged.beeps(2)) == 3
    assert judged.presence(3) == 1.0


def test_something_else_in_a_guests_colour_is_no_guest(tmp_path: Path) -> None:
    # An avatar may have the colour of guest 0 by chance.
    path = write_recording(tmp_path / "x.mp4", 2, {0: GRID[0], 1: GRID[3]}, None, blank={0: (40, 240, 100, 100)})
    judged = judge(path)
    assert judged.tiles_at(1.0) == {0: GRID[0], 1: GRID[3]}
    assert judged.presence(0) == 1.0


def test_screen_shares_are_told_from_their_sharers(tmp_path: Path) -> None:
    tiles: dict[int, Rect] = {picture.CAMERAS + 1: (0, 0, 480, 270), 1: (480, 0, 160, 90), 0: (480, 90, 160, 90)}
    judged = judge(write_recording(tmp_path / "x.mp4", 3, tiles, None))
    assert judged.tiles_at(1.5) == tiles
    assert judged.flash_spreads() == pytest.approx([0.0, 0.0])


def test_a_tile_that_shows_only_the_middle_of_a_picture_is_read(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "x.mp4", 3, {4: (-220, 0, 640, 360)}, None, size=(202, 360))
    judged = judge(path)
    assert judged.tiles_at(1.0) == {4: (0, 0, 202, 360)}
    assert judged.presence(4) == 1.0
    assert judged.motion(4).uneven == 0
    assert len(judged.flashes(4)) == 2


def test_parts_laid_end_to_end_lose_nothing(tmp_path: Path) -> None:
    heard = mix([0, 1], 6)
    cut = round(3.2 * 30)

    def second_part(guest: int, index: int) -> int:
        return index + cut

    split = cut * sound.RATE // 30
    tiles = {0: GRID[0], 1: GRID[1]}
    first = write_recording(tmp_path / "1.mp4", cut / 30, tiles, heard[:split], as_sent)
    second = write_recording(tmp_path / "2.mp4", 6 - cut / 30, tiles, heard[split:], second_part)
    judged = judge(first, second)
    assert judged.part_durations == pytest.approx([3.2, 2.8], abs=0.001)
    for guest in tiles:
        assert judged.beeps(guest) == pytest.approx([1, 2, 3, 4, 5], abs=0.002)
        assert judged.flashes(guest) == pytest.approx([1, 2, 3, 4, 5], abs=0.001)
        assert judged.motion(guest).uneven == 0
    assert judged.holes(0.05, 5.95) == []


def test_pictures_lost_between_two_parts_are_counted(tmp_path: Path) -> None:
    def second_part(guest: int, index: int) -> int:
        return index + 63

    first = write_recording(tmp_path / "1.mp4", 2, {0: GRID[0]}, None)
    second = write_recording(tmp_path / "2.mp4", 2, {0: GRID[0]}, None, second_part)
    judged = judge(first, second)
    assert judged.motion(0).dropped == 3
    assert Stats.of(judged.cadence(0)).worst == pytest.approx(3 / 30, abs=0.001)


def test_sound_alone_is_judged_from_an_mp3(tmp_path: Path) -> None:
    judged = judge(write_recording(tmp_path / "x.mp3", 5, {}, mix([0, 1, 2], 5)))
    assert judged.pictures is None
    assert judged.audio_duration == pytest.approx(5, abs=0.03)
    for guest in (0, 1, 2):
        assert judged.beeps(guest)[-4:] == pytest.approx([1, 2, 3, 4], abs=0.003)
    assert Stats.of(judged.beep_spreads()).worst < 0.003
    assert judged.holes(0.05, 4.95) == []
    assert "mp3" in judged.summary()


def test_codes_of_all_pictures_differ_and_read_back() -> None:
    for number in range(picture.FPS):
        blocks = np.array([200.0 if bit else 30.0 for bit in picture.code_bits(number)])
        assert picture.number_of(blocks) == number
        blocks[4] = 230.0 - blocks[4]
        assert picture.number_of(blocks) is None


def test_colours_are_far_enough_apart_to_be_told() -> None:
    table = picture.identities_by_chroma()
    for identity in range(2 * picture.CAMERAS):
        cb, cr = picture.chroma(identity)
        assert (table[cb - 5 : cb + 6, cr - 5 : cr + 6] == identity).all()
    assert table[128, 128] == -1
