"""The clockwork and its programs, with fake sources and outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from av.packet import Packet

from egress.media.audio_source import AudioSource
from egress.media.compositor import DecorMaker
from egress.media.decode import SAMPLE_RATE, Samples
from egress.media.program import Program, ProgramListener
from egress.media.stage import Stage
from egress.media.video_source import Picture, VideoSource
from egress.outputs.output import OutputError, ProgramFormat
from egress.protocol.encoding import AudioEncoding, VideoEncoding
from layouts.scene import Rect
from tests.media.fakes import FakeTrack, opus, picture, sine
from tests.media.test_compositor import FakePainter, scene, tile

DELAY = 0.2
FPS = 30


class Kept(ProgramListener):
    """An output that keeps everything, and may be slow or fail."""

    def __init__(self, *, needs_sound: bool = False, slow: float = 0.0, fails_at: int | None = None) -> None:
        self.needs_sound = needs_sound
        self.slow = slow
        self.fails_at = fails_at
        self.format: ProgramFormat | None = None
        self.video: list[int] = []
        self.audio: list[int] = []
        self.sound: list[tuple[int, Samples]] = []
        self.finished: int | None = None
        self.result: list[tuple[str, str]] = []
        self.over = threading.Event()

    def open(self, format: ProgramFormat) -> None:
        self.format = format

    def wants_keyframe(self, tick: int) -> bool:
        return False

    def on_video(self, packet: Packet[Any]) -> None:
        assert packet.pts is not None
        if self.fails_at is not None and packet.pts >= self.fails_at:
            raise OutputError("disk_full", "no room")
        time.sleep(self.slow)
        self.video.append(packet.pts)

    def on_audio(self, packet: Packet[Any]) -> None:
        assert packet.pts is not None
        self.audio.append(packet.pts)

    def on_sound(self, sound: Samples, position: int) -> None:
        self.sound.append((position, sound))

    def finish(self, ticks: int) -> None:
        self.finished = ticks

    def ended(self) -> None:
        self.result.append(("", ""))
        self.over.set()

    def failed(self, code: str, message: str) -> None:
        self.result.append((code, message))
        self.over.set()


def program(output: Kept, size: tuple[int, int] = (64, 48), fps: int = FPS) -> Program:
    return Program(
        "p",
        size,
        video=VideoEncoding(preset="ultrafast", fps=fps),
        audio=AudioEncoding(),
        output=output,
        listener=output,
    )


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(FPS, DELAY)
    yield made
    made.close()


def recorded(stage: Stage, made: Program, output: Kept, seconds: float) -> None:
    """Run a program for so long."""
    start = time.monotonic()
    stage.start(made, start)
    time.sleep(max(0.0, start + seconds - time.monotonic()))
    stage.stop(made, start + seconds)
    assert output.over.wait(20)


def past(stage: Stage, made: Program, start: float, end: float) -> None:
    """Run a program over time that has passed; the media thread may not take a tick between the two orders."""
    with stage._lock:
        stage.start(made, start)
        stage.stop(made, end)


def test_pictures_and_sound_are_as_long_as_the_time_that_passed(stage: Stage):
    output = Kept()
    recorded(stage, program(output), output, 0.5)
    assert output.result == [("", "")]
    assert output.finished == 15
    assert min(output.video) == 0
    assert output.audio[0] == -1024
    assert output.audio[-1] >= 0.5 * SAMPLE_RATE - 1024
    assert abs(time.time() - output.format.epoch) < 60  # type: ignore[union-attr]


def test_a_recording_that_was_begun_has_a_picture(stage: Stage):
    output = Kept()
    made = program(output)
    now = time.monotonic()
    past(stage, made, now, now - 5)
    assert output.over.wait(10)
    assert (output.finished, output.video) == (1, [0])


def test_two_programs_share_the_sources_and_begin_on_a_tick(stage: Stage):
    first, second = Kept(needs_sound=True), Kept(needs_sound=True)
    one, two = program(first, (0, 0)), program(second, (0, 0))
    start = time.monotonic()
    epoch = stage.start(one, start)
    later = stage.start(two, start + 0.11)
    assert (later - epoch) * FPS == pytest.approx(round((later - epoch) * FPS), abs=0.05)
    assert 0.11 - 1e-3 <= later - epoch < 0.11 + 2 / FPS
    time.sleep(0.3)
    stage.stop(one, start + 0.3)
    stage.stop(two, start + 0.3)
    assert first.over.wait(10) and second.over.wait(10)
    for output in (first, second):
        positions = [p for p, _ in output.sound]
        assert positions[0] == 0
        assert all(a + len(s) == b for (a, s), b in zip(output.sound, positions[1:], strict=False))


@pytest.mark.parametrize("fps", [7, 24, 30, 50])
def test_sound_has_no_seam_at_any_rate(fps: int):
    stage, output = Stage(fps, DELAY), Kept(needs_sound=True)
    made = program(output, (0, 0), fps)
    start = time.monotonic() - 3  # all of it has happened
    past(stage, made, start, start + 2)
    assert output.over.wait(20)
    stage.close()
    position = 0
    for at, sound in output.sound:
        assert abs(at - position) <= 1
        position = at + len(sound)
    assert abs(position - 2 * SAMPLE_RATE) <= SAMPLE_RATE / fps + 1


def test_the_call_is_heard_where_it_happened(stage: Stage):
    start = time.monotonic() - 3
    track = FakeTrack("audio", "opus", shift=start - 100)
    source = AudioSource(track)
    source.start()
    for n, data in enumerate(opus(sine(0.5))):
        track.feed(data, start + 1.0 + n * 0.02)
    stage.add_audio("guest", source)
    output = Kept(needs_sound=True)
    made = program(output, (0, 0))
    past(stage, made, start, start + 2)
    assert output.over.wait(20)
    sound = np.concatenate([s for _, s in output.sound])[:, 0]
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    assert abs(loud[0] / SAMPLE_RATE - 1.0) < 0.015
    assert abs(loud[-1] / SAMPLE_RATE - 1.5) < 0.015


class Blocking:
    """A video source whose decoding blocks the media thread for a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    def advance(self, until: float) -> Picture | None:
        self.calls += 1
        if self.calls == 3:
            time.sleep(self.seconds)
        return None


def test_a_media_thread_that_was_held_up_leaves_out_pictures_but_no_sound(stage: Stage):
    blocking: Any = Blocking(1.2)
    stage.add_video(("a", "video"), blocking)
    output = Kept(needs_sound=True)
    made = program(output)
    recorded(stage, made, output, 1.6)
    assert output.finished == 48
    assert made.pictures + made.dropped == 48
    assert 5 < stage.counts.skipped <= made.dropped
    assert blocking.calls == 48, "decoding goes on, later pictures build on it"
    assert sum(len(s) for _, s in output.sound) == 48 * 1600


def test_how_far_the_latest_tick_runs_behind_its_plan_is_known(stage: Stage):
    stage.add_video(("a", "video"), Blocking(0.6))  # type: ignore[arg-type]
    output = Kept()
    made = program(output)
    start = time.monotonic()
    stage.start(made, start)
    while stage.counts.worst_late < 0.4 or stage.counts.last_late > 0.2:
        assert time.monotonic() < start + 20, "it was late, and has caught up"
        time.sleep(0.01)
    stage.stop(made, time.monotonic())
    assert output.over.wait(20)
    assert 0.0 <= stage.counts.last_late < stage.counts.worst_late


def test_an_encoder_that_cannot_follow_costs_pictures_but_no_sound(stage: Stage):
    output = Kept(needs_sound=True, slow=0.1)
    made = program(output)
    recorded(stage, made, output, 2.0)
    assert made.dropped > 0
    assert made.pictures + made.dropped == 60
    assert len(output.video) == made.pictures
    assert sum(len(s) for _, s in output.sound) == 60 * 1600


def test_what_is_left_at_a_stop_is_drained_with_every_picture():
    stage, output = Stage(FPS, 10.0), Kept()
    made = program(output)
    start = time.monotonic() - 2
    began = time.monotonic()
    past(stage, made, start, start + 2)
    assert output.over.wait(20)
    assert time.monotonic() - began < 8, "faster than the delay of ten seconds"
    assert made.ticks == 60
    assert len(output.video) == made.pictures
    stage.close()


def test_an_output_that_fails_ends_its_program_alone(stage: Stage):
    bad, good = Kept(fails_at=3), Kept()
    one, two = program(bad), program(good)
    start = time.monotonic()
    stage.start(one, start)
    stage.start(two, start)
    assert bad.over.wait(20)
    time.sleep(max(0.0, start + 0.6 - time.monotonic()))
    stage.stop(one, start + 0.6)
    stage.stop(two, start + 0.6)
    assert good.over.wait(20)
    assert bad.result == [("disk_full", "no room")]
    assert one.over
    assert good.result == [("", "")]
    assert good.finished == 18


def test_an_encoder_that_will_not_open_is_told_as_such(stage: Stage):
    output = Kept()
    made = program(output, (63, 47))
    stage.start(made, time.monotonic())
    assert output.over.wait(20)
    assert output.result[0][0] == "encoder_failed"


def test_a_track_that_cannot_be_played_stops_neither_the_call_nor_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    class Broken:
        def advance(self, until: float) -> None:
            raise ValueError("broken")

    broken: Any = Broken()
    stage.add_video(("a", "video"), broken)
    output = Kept()
    recorded(stage, program(output), output, 0.4)
    assert output.result == [("", "")]
    assert output.finished == 12
    assert stage.counts.errors["video"] == 12
    assert caplog.text.count("ValueError: broken") == 5


def test_a_scene_is_shown_from_its_time_on(stage: Stage):
    output = Kept()
    made = program(output)
    maker = DecorMaker(FakePainter())
    start = time.monotonic() - 3
    for n in range(4):
        made.schedule(start + n * 0.5, maker.make(scene(tile(Rect(0, 0, 64, 48), f"g{n}"), width=64, height=48)))
    seen: list[Any] = []
    tick = made.tick

    def spy(when: float, *rest: Any, **named: Any) -> None:
        tick(when, *rest, **named)
        assert made._compositor is not None and made._compositor._decor is not None
        shown = made._compositor._decor.scene.tiles
        seen.append((when - start, [(t.session_id, t.source) for t in shown]))

    made.tick = spy  # type: ignore[method-assign]
    past(stage, made, start, start + 2)
    assert output.over.wait(20)
    for at, visible in seen:
        assert visible == [(f"g{min(3, int(at * 2 + 1e-6))}", "video")]


def test_a_film_whose_last_pictures_were_left_out_is_as_long_as_its_sound():
    output = Kept()
    made = program(output)
    made.begin(0.0)
    sound = np.zeros((1600, 2), np.float32)
    for n in range(30):
        made.tick(n / FPS, {}, sound, n * 1600, patience=5.0 if n < 20 else 0.0)
    made.end()
    assert output.over.wait(20)
    assert output.result == [("", "")]
    assert max(output.video) == 29
    assert made.dropped == 9


def test_a_program_that_cannot_be_drawn_fails_with_what_it_has_and_others_go_on(stage: Stage):
    good, bad = Kept(), Kept()
    broken = program(bad)

    def tick(*_: Any, **__: Any) -> None:
        raise ValueError("broken")

    broken.tick = tick  # type: ignore[method-assign]
    start = time.monotonic()
    stage.start(broken, start)
    recorded(stage, program(good), good, 0.4)
    assert bad.over.wait(20)
    assert bad.result == [("internal_error", "the program could not be drawn: ValueError('broken')")]
    assert good.result == [("", "")]


def test_a_track_that_is_gone_is_played_out_and_then_forgotten(stage: Stage):
    track = FakeTrack("video", "vp8")
    source = VideoSource(track, lambda: None)
    stage.add_video(("a", "video"), source)
    output = Kept(needs_sound=True)
    made = program(output, (0, 0))
    start = time.monotonic()
    stage.start(made, start)
    stage.remove(source)
    assert len(stage._video) == 1
    time.sleep(1.0)
    stage.stop(made, start + 1.0)
    assert output.over.wait(20)
    assert stage._video == []


def test_closing_ends_what_runs():
    stage, output = Stage(FPS, DELAY), Kept()
    stage.start(program(output), time.monotonic())
    stage.close()
    assert output.over.wait(20)
    assert output.result == [("", "")]
    Stage(FPS, DELAY).close()


def test_pictures_reach_the_canvas_through_a_program(stage: Stage):
    made = program(Kept())
    maker = DecorMaker(FakePainter())
    made.schedule(0.0, maker.make(scene(tile(Rect(0, 0, 64, 48), "a", "fill"), width=64, height=48)))
    shown = Picture(picture(64, 48, 180), 0, 1, 0.0)
    made.tick(1.0, {("a", "video"): shown}, np.zeros((1600, 2), np.float32), 0, patience=1.0)
    frame = made._queue[0].frame  # type: ignore[union-attr]
    assert frame is not None
    assert abs(int(frame.to_ndarray()[:48].mean()) - 180) <= 2
