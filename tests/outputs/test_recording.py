"""Files of recordings, made by the real encoders and read back by FFmpeg."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from numpy.typing import NDArray

from egress.media.decode import SAMPLE_RATE
from egress.media.encode import AacEncoder, VideoEncoder
from egress.outputs.output import OutputError, ProgramFormat
from egress.outputs.parts import PartPlan
from egress.outputs.recording import ClosedPart, OpenedPart, Recording, RecordingListener
from egress.outputs.repair import drop_torn_fragment
from egress.protocol.encoding import AudioEncoding, VideoEncoding
from tests.media.fakes import picture, sine

FPS = 30
EPOCH = 1_700_000_000.0
TONE = sine(12.0, 440, 0.3)


class Told(RecordingListener):
    def __init__(self) -> None:
        self.parts_opened: list[OpenedPart] = []
        self.parts_closed: list[ClosedPart] = []
        self.failures: list[tuple[str, str]] = []

    def opened(self, part: OpenedPart) -> None:
        self.parts_opened.append(part)

    def closed(self, part: ClosedPart) -> None:
        self.parts_closed.append(part)

    def failed(self, code: str, message: str) -> None:
        self.failures.append((code, message))

    def codes(self) -> list[str]:
        """Of failures. The writer's thread tells one after it has closed what it can."""
        deadline = time.monotonic() + 5.0
        while not self.failures and time.monotonic() < deadline:
            time.sleep(0.01)
        return [code for code, _ in self.failures]


class Maker:
    """A program without a stage: a picture whose luma counts ticks, and a tone."""

    def __init__(
        self, folder: Path, *, roll_over: float = 3600, suffix: str = "mp4", noise: bool = False, first_part: int = 1
    ) -> None:
        self.told = Told()
        self.recording = Recording(
            folder,
            plan=PartPlan.every(roll_over, FPS),
            suffix=suffix,
            bitrate=128_000,
            first_part=first_part,
            prefix="e7",
            listener=self.told,
        )
        self.ticks = 0
        self._due = False
        settings = VideoEncoding(preset="superfast", max_bitrate=20_000_000 if noise else None, crf=20)
        self.video = VideoEncoder(160, 96, settings) if suffix == "mp4" else None
        self.audio = None if self.recording.needs_sound else AacEncoder(AudioEncoding())
        self._dice = np.random.default_rng(1) if noise else None
        self.recording.open(
            ProgramFormat(
                FPS, EPOCH, self.video.stream if self.video else None, self.audio.stream if self.audio else None
            )
        )

    def run(self, ticks: int, *, leave_out: frozenset[int] = frozenset()) -> None:
        for _ in range(ticks):
            n = self.ticks
            self.ticks += 1
            self._due = self._due or self.recording.wants_keyframe(n)
            if self.video is not None and n not in leave_out:
                self._send(self.video.encode(self._picture(n), n, keyframe=self._due), [])
                self._due = False
            sound = TONE[n * 1600 % len(TONE) :][:1600]
            self._send([], self.audio.encode(sound) if self.audio else [])
            if self.recording.needs_sound:
                self.recording.on_sound(sound, n * 1600)

    def _picture(self, n: int) -> av.VideoFrame:
        if self._dice is None:
            return picture(160, 96, 30 + 5 * (n % 40))
        rgb = self._dice.integers(0, 255, (96, 160, 3), np.uint8)
        return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")

    def _send(self, video: list[Packet[Any]], audio: list[Packet[Any]]) -> None:
        for packet in video:
            self.recording.on_video(packet)
        for packet in audio:
            self.recording.on_audio(packet)

    def finish(self) -> list[ClosedPart]:
        self._send(self.video.flush() if self.video else [], self.audio.flush() if self.audio else [])
        self.recording.finish(self.ticks)
        assert self.told.failures == []
        return self.told.parts_closed


def pictures(path: Path) -> list[tuple[Fraction, int]]:
    """When each picture is shown, and the number its luma stands for (0 to 39)."""
    with av.open(str(path)) as file:
        return [
            (Fraction(f.pts) * f.time_base, round((float(f.to_ndarray()[:96].mean()) - 30) / 5))  # type: ignore[operator]
            for f in file.decode(video=0)
        ]


def sound_of(path: Path) -> NDArray[np.float32]:
    """The left channel as it is presented: edit lists and priming applied."""
    with av.open(str(path)) as file:
        return np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])


def frequency_is_steady(sound: NDArray[np.float32]) -> bool:
    slope = 2 * np.pi * 440 / SAMPLE_RATE * 0.3
    return bool(np.abs(np.diff(sound)).max() < slope * 1.4)


def test_a_recording_plays_as_it_was_made(tmp_path: Path):
    maker = Maker(tmp_path / "deep" / "er")
    maker.run(60)
    [part] = maker.finish()
    shown = pictures(part.path)
    assert [when for when, _ in shown] == [Fraction(n, FPS) for n in range(60)]
    assert [number for _, number in shown] == [n % 40 for n in range(60)]
    sound = sound_of(part.path)
    assert abs(len(sound) - 60 * 1600) <= 1024
    assert frequency_is_steady(sound[2400:-2400])
    assert part.path.name == f"e7-00001-{round(EPOCH * 1000)}.mp4"
    assert part.size == part.path.stat().st_size == maker.recording.size
    assert part.duration == pytest.approx(2.0)
    assert (part.start_time, part.end_time) == (EPOCH, pytest.approx(EPOCH + 2 - 1 / FPS))
    assert [o.path for o in maker.told.parts_opened] == [part.path]


def test_a_closed_file_is_a_plain_mp4(tmp_path: Path):
    maker = Maker(tmp_path)
    maker.run(45)
    [part] = maker.finish()
    data = part.path.read_bytes()
    kinds, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kinds.append(data[position + 4 : position + 8])
        position += length if length != 1 else int.from_bytes(data[position + 8 : position + 16], "big")
    assert b"moof" not in kinds
    assert kinds[-1] == b"moov"


def test_parts_laid_end_to_end_lose_and_repeat_nothing(tmp_path: Path):
    maker = Maker(tmp_path, roll_over=1.0, first_part=4)
    maker.run(115)
    parts = maker.finish()
    assert [p.path.name for p in parts] == [f"e7-{p.number:05}-{round(p.start_time * 1000)}.mp4" for p in parts]
    assert [p.number for p in parts] == [4, 5, 6, 7]
    assert [p.duration for p in parts] == pytest.approx([32 / FPS] * 3 + [19 / FPS])
    laid: list[Fraction] = []
    numbers: list[int] = []
    sound = []
    for index, part in enumerate(parts):
        offset = Fraction(32 * index, FPS)
        shown = pictures(part.path)
        assert shown[0][0] == 0
        laid += [offset + when for when, _ in shown]
        numbers += [number for _, number in shown]
        assert part.start_time == pytest.approx(EPOCH + float(offset))
        sound.append(sound_of(part.path))
    assert laid == [Fraction(n, FPS) for n in range(115)]
    assert numbers == [n % 40 for n in range(115)]
    # Each part's sound is exactly 50 AAC frames, and joins the next without a seam.
    assert [len(s) for s in sound[:3]] == [50 * 1024] * 3
    joined = np.concatenate(sound)
    assert frequency_is_steady(joined[2400 : 110 * 1600])
    assert np.abs(joined[4800 : 110 * 1600] - TONE[4800 : 110 * 1600, 0]).max() < 0.02


def test_a_cut_waits_for_a_picture_that_was_left_out(tmp_path: Path):
    maker = Maker(tmp_path, roll_over=1.0)
    maker.run(55, leave_out=frozenset({32, 33}))
    first, second = maker.finish()
    assert len(pictures(first.path)) == 32
    shown = pictures(second.path)
    assert abs(shown[0][0] - Fraction(2, FPS)) < Fraction(1, 1000)
    assert shown[0][1] == 34
    assert len(shown) == 21


def test_what_was_written_plays_though_the_writer_is_dead(tmp_path: Path):
    maker = Maker(tmp_path, noise=True)
    maker.run(120)
    # What lies on the disk at this moment is what would be left by kill -9.
    while not maker.recording._queue.empty():
        time.sleep(0.01)
    copy = tmp_path / "copy.mp4"
    shutil.copy(maker.told.parts_opened[0].path, copy)
    maker.finish()
    drop_torn_fragment(copy)
    played = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
            str(copy),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.stderr == ""
    # All but the encoder's look-ahead and the fragments that were open.
    assert int(played.stdout.strip().strip(",")) >= 120 - 75
    assert np.abs(sound_of(copy)).max() > 0.25


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_sound_alone_is_recorded_in_parts_too(tmp_path: Path, suffix: str):
    maker = Maker(tmp_path, roll_over=1.0, suffix=suffix)
    maker.run(80)
    parts = maker.finish()
    assert [p.path.suffix for p in parts] == [f".{suffix}"] * 3
    assert [p.duration for p in parts] == pytest.approx([32 / FPS, 32 / FPS, 16 / FPS])
    for part in parts:
        sound = sound_of(part.path)
        assert abs(len(sound) / SAMPLE_RATE - part.duration) < 0.06
        assert 0.27 < np.abs(sound[4800:9600]).max() < 0.33
        with av.open(str(part.path)) as file:
            assert [s.type for s in file.streams] == ["audio"]
            assert file.streams.audio[0].codec_context.name == {"mp3": "mp3float", "m4a": "aac"}[suffix]


def test_a_recording_of_nothing_makes_no_file(tmp_path: Path):
    maker = Maker(tmp_path)
    assert maker.finish() == []
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tiny disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", ["mp4", "m4a", "mp3"])
def test_a_full_disk_ends_the_recording_with_that_reason_and_keeps_what_was_written(
    tiny_disk: Path, tmp_path: Path, suffix: str
):
    (tiny_disk / "filler").write_bytes(bytes(600_000 if suffix == "mp4" else 950_000))
    maker = Maker(tiny_disk / "egress", suffix=suffix, noise=suffix == "mp4")
    with pytest.raises(OutputError) as raised:
        for _ in range(2000):
            maker.run(1)
            if maker.ticks % 10 == 0:
                os.sched_yield()
        maker.finish()
    assert raised.value.code == "disk_full"
    maker.recording._thread.join(10)  # it closes what it can before it tells
    assert maker.told.codes() == ["disk_full"]
    assert str(tiny_disk) in maker.told.failures[0][1]
    copy = tmp_path / f"copy.{suffix}"
    shutil.copy(maker.told.parts_opened[0].path, copy)
    drop_torn_fragment(copy)
    assert len(sound_of(copy)) > SAMPLE_RATE / 2


def test_a_folder_that_cannot_be_made_is_a_spool_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as raised:
        Maker(tmp_path / "file" / "folder")
    assert raised.value.code == "spool_error"


def test_a_writer_that_ends_for_any_reason_fails_its_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    maker = Maker(tmp_path)
    maker.run(30)

    def broken(packet: Packet[Any]) -> None:
        raise ValueError("a fault of ours")

    maker.recording._write_audio = broken  # type: ignore[method-assign]
    with pytest.raises(OutputError):
        maker.run(30)
        maker.finish()
    assert maker.told.codes() == ["spool_error"]
    assert "a fault of ours" in caplog.text
