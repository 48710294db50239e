"""An attendant at a call that a test plays: what it reports, wishes for and shows when the SFU has news."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import pytest
import skia
from pydantic import BaseModel, ConfigDict

from egress import attendant as attendant_module
from egress import composite, telling
from egress.attendant import Attendant
from egress.call.connector import Attending, RoomTeller
from egress.call.model import (
    REMOVED,
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    Participant,
    QualityChanged,
    TrackAdded,
    TrackPaused,
    TrackType,
    TrackUnreadable,
    Wants,
)
from egress.call.state import PAUSED_PICTURE
from egress.protocol.directions import Directions, Moderated
from egress.protocol.job import Job
from egress.protocol.recordings import LayoutSettings
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    PartClosed,
    Received,
    Refused,
    Report,
    Warned,
)
from egress.rtc.track import TrackCounts
from tests.media.fakes import FakeTrack, encoded, picture
from tests.rig.servers.pictures import PictureServer, Told

VIDEO, AUDIO, SCREEN = TrackType.VIDEO, TrackType.AUDIO, TrackType.SCREEN_SHARE
ANNA = Participant("s-anna", "anna", "Anna")
DELAY = 0.2

Found = TypeVar("Found", bound=Report)


class PlayedCall:
    """A connector whose events the test tells."""

    type = "played"

    class Address(BaseModel):
        model_config = ConfigDict(extra="allow")

        topic: str = "stage"
        tell_room: bool = True

    def __init__(self) -> None:
        self.attending: Attending | None = None
        self.wishes: list[tuple[str, TrackType, Wants | None]] = []
        self.room: list[tuple[dict[str, Any], str, tuple[str, ...]]] = []
        """What the room was told, on which topic, and who; everybody when nobody is named."""
        self.left = asyncio.Event()
        self._queue: asyncio.Queue[CallEvent | None] = asyncio.Queue()

    def attend(self, address: Any, attending: Attending) -> PlayedCall:
        self.attending = attending
        return self

    def teller(self, address: Any) -> RoomTeller | None:
        return _Heard(self) if address.tell_room else None

    def tell(self, *events: CallEvent) -> None:
        for event in events:
            self._queue.put_nowait(event)

    async def events(self) -> AsyncIterator[CallEvent]:
        while (event := await self._queue.get()) is not None:
            yield event

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        self.wishes.append((session_id, track, wish))

    def wanted(self, track: TrackType = VIDEO) -> Wants | None:
        """What was wished for last of a track of Anna's."""
        return next((w for s, t, w in reversed(self.wishes) if (s, t) == (ANNA.session_id, track)), None)

    async def close(self) -> None:
        self._queue.put_nowait(None)


class _Heard:
    """The clients in the room."""

    def __init__(self, call: PlayedCall) -> None:
        self._call = call

    async def tell(self, message: bytes, topic: str, to: Sequence[str] = ()) -> None:
        self._call.room.append((json.loads(message), topic, tuple(to)))

    async def close(self) -> None:
        self._call.left.set()


class Scene:
    """The attendant of a played call, recording it small."""

    def __init__(
        self, call: PlayedCall, folder: Path, allow_private: Sequence[str] = ("127.0.0.0/8",), **egress: Any
    ) -> None:
        self.call = call
        self.told: list[Report] = []
        spec = {"egress_id": "e1", "quality": "360p", "video": {"fps": 10, "preset": "ultrafast"}, **egress}
        job = Job.model_validate(
            {
                "call_cid": "default:played",
                "session_id": "s1",
                "connector": {"type": "played"},
                "spool": str(folder),
                "delay": DELAY,
                "guard": {"allow_private": allow_private},
                "egresses": [spec],
            }
        )
        self.attendant = Attendant(job, self.told.append)
        self._feeding: list[asyncio.Task[None]] = []

    def found(self, kind: type[Found]) -> list[Found]:
        return [report for report in self.told if isinstance(report, kind)]

    async def until(self, condition: Callable[[], object], timeout: float = 8.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout} s in vain; told was {self.told[-5:]}"
            await asyncio.sleep(0.01)

    async def begun(self) -> None:
        await self.until(lambda: self.found(EgressStarted))

    def feed(self, track: FakeTrack, size: tuple[int, int] = (64, 36), rotation: int = 0) -> Callable[[], None]:
        """Send pictures on a track from now on; returns what ends that."""
        frames = encoded("vp8", [picture(*size, 90 + n) for n in range(5)])

        async def send() -> None:
            n = 0
            while True:
                track.last_packet = time.monotonic()
                track.feed(frames[n % len(frames)], track.last_packet, keyframe=n % len(frames) == 0, rotation=rotation)
                n += 1
                await asyncio.sleep(0.05)

        self._feeding.append(task := asyncio.create_task(send()))
        return task.cancel

    async def close(self) -> None:
        for task in self._feeding:
            task.cancel()
        await asyncio.gather(*self._feeding, return_exceptions=True)
        await self.attendant.close("the test ends")


PlayScene = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[PlayScene]:
    """``await play(call, …)`` has the call attended."""
    made: list[Scene] = []

    async def begin(call: PlayedCall, **egress: Any) -> Scene:
        monkeypatch.setattr(attendant_module, "connector", lambda type_: call)
        made.append(Scene(call, tmp_path, **egress))
        made[-1].attendant.open()
        return made[-1]

    yield begin
    for one in made:
        await one.close()


@pytest.fixture
def call() -> PlayedCall:
    return PlayedCall()


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / 1e6


async def test_a_composite_recording_is_attended_as_a_recording(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    await scene.until(lambda: call.attending)
    assert call.attending is not None and call.attending.recording


async def test_when_an_administrator_puts_us_out_the_file_is_whole_and_the_end_no_failure(
    call: PlayedCall, play: PlayScene
):
    scene = await play(call)
    call.tell(Connected(), Joined(ANNA))
    await scene.begun()
    await asyncio.sleep(0.6)
    call.tell(Ended("", REMOVED))
    await scene.until(lambda: scene.found(EgressEnded))
    assert [s.reason for s in scene.found(EgressStopped)] == ["removed by an administrator"]
    assert scene.found(EgressFailed) == []
    [part] = scene.found(PartClosed)
    assert seconds_of(part.path) == pytest.approx(part.duration, abs=0.15)
    assert part.duration > 0.5
    assert (scene.attendant.end_code, scene.attendant.room_ended) == (REMOVED, False)


async def test_who_is_put_out_before_anything_is_recorded_fails_with_that_reason(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    call.tell(Ended("the moderator wants nobody here", REMOVED))
    await scene.until(lambda: scene.found(EgressFailed))
    [failed] = scene.found(EgressFailed)
    assert (failed.code, failed.error) == (REMOVED, "the moderator wants nobody here")
    assert failed.reception is None


async def test_a_room_that_ends_ends_the_session(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    call.tell(Connected())
    await scene.begun()
    call.tell(Ended("the room was deleted"))
    await scene.until(lambda: scene.found(EgressEnded))
    assert (scene.attendant.end_code, scene.attendant.room_ended) == ("", True)


async def test_a_track_that_cannot_be_read_is_warned_of_once_and_shows_the_placeholder(
    call: PlayedCall, play: PlayScene
):
    scene = await play(call)
    camera = TrackUnreadable(ANNA.session_id, VIDEO, "av1", "this server has no backup codec for it")
    call.tell(TrackUnreadable("s-nobody", VIDEO, "av1", "x"), Connected(), Joined(ANNA), camera, camera)
    call.tell(TrackUnreadable(ANNA.session_id, AUDIO, "", "it is encrypted end to end"))
    await scene.begun()
    camera_said, microphone_said = scene.found(Warned)
    assert camera_said.message == "the camera of Anna is not received: this server has no backup codec for it (av1)"
    assert (camera_said.code, camera_said.participant, camera_said.user_id, camera_said.track) == (
        "track_unreadable",
        ANNA.session_id,
        "anna",
        "video",
    )
    assert microphone_said.message == "the microphone of Anna is not received: it is encrypted end to end"
    director = scene.attendant.recordings.egresses["e1"].director
    assert director is not None and director.scene is not None
    assert [tile.source for tile in director.scene.tiles] == [None]
    # It becomes readable: from then on it is received and shown.
    call.tell(TrackAdded(ANNA.session_id, VIDEO, FakeTrack("video", "vp8")))
    await scene.until(lambda: director.scene is not None and director.scene.tiles[0].source == "video")
    await scene.until(lambda: call.wanted() is not None)


def colour_in_the_middle(path: Path, number: int) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n == number:
                rgb = frame.to_ndarray(format="rgb24")
                red, green, blue = rgb[rgb.shape[0] // 2, rgb.shape[1] // 2]
                return int(red), int(green), int(blue)
    raise AssertionError(f"{path} has no picture {number}")


async def recorded(scene: Scene, seconds: float) -> Path:
    await scene.begun()
    await asyncio.sleep(seconds)
    assert scene.attendant.stop("e1", "enough")
    await scene.until(lambda: scene.found(EgressEnded))
    return scene.found(PartClosed)[0].path


async def test_who_shows_no_picture_is_shown_by_their_avatar_once_it_has_come(call: PlayedCall, play: PlayScene):
    pixels = np.full((64, 64, 4), (30, 30, 220, 255), np.uint8)
    avatar = skia.Image.fromarray(pixels, skia.ColorType.kRGBA_8888_ColorType)
    with PictureServer() as server:
        png = bytes(avatar.encodeToData(skia.EncodedImageFormat.kPNG, 100))
        server.answers["/anna.png"] = [Told(status=500), Told(png)]
        scene = await play(call)
        scene.attendant._atelier.images._pauses = (0.3,)
        call.tell(Connected(), Joined(replace(ANNA, image=f"{server.url}/anna.png")))
        path = await recorded(scene, 2.5)
    assert server.asked == ["/anna.png"] * 2
    red, green, blue = colour_in_the_middle(path, 20)
    assert blue > 180 and red < 80 and green < 80
    [warned] = scene.found(Warned)
    assert (warned.code, warned.picture) == ("picture_unavailable", server.url)
    assert warned.message.endswith("the answer was 500")


async def test_an_avatar_that_may_not_be_fetched_leaves_initials_and_a_warning(call: PlayedCall, play: PlayScene):
    with PictureServer() as server:
        scene = await play(call, allow_private=())
        call.tell(Connected(), Joined(replace(ANNA, image=f"{server.url}/anna.png")))
        path = await recorded(scene, 0.5)
    assert server.asked == []
    assert colour_in_the_middle(path, 3) != (0, 0, 0)
    [warned] = scene.found(Warned)
    assert "private, local or reserved" in warned.message


async def test_a_track_that_the_sfu_pauses_gives_way_to_the_placeholder_and_stays_wanted(
    call: PlayedCall, play: PlayScene
):
    scene = await play(call)
    camera = FakeTrack("video", "vp8")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, VIDEO, camera))
    stop = scene.feed(camera)
    await scene.begun()
    wish = call.wanted()
    assert wish is not None
    director = scene.attendant.recordings.egresses["e1"].director
    assert director is not None

    def source() -> str | None:
        assert director is not None and director.scene is not None
        return director.scene.tiles[0].source

    paused = time.monotonic()
    stop()
    call.tell(TrackPaused(ANNA.session_id, VIDEO, True))
    await scene.until(lambda: source() is None)
    assert PAUSED_PICTURE - 0.1 < time.monotonic() - paused < PAUSED_PICTURE + 0.5
    # Longer than a track that is out of the picture is received on.
    await asyncio.sleep(DELAY + 1.5)
    assert source() is None
    assert call.wanted() == wish
    scene.feed(camera)
    call.tell(TrackPaused(ANNA.session_id, VIDEO, False))
    await scene.until(lambda: source() == "video")
    assert scene.attendant.stop("e1", "enough")
    await scene.until(lambda: scene.found(EgressEnded))
    reception = scene.found(EgressEnded)[0].reception
    assert reception is not None
    [track] = reception.participants[0].tracks
    assert track.paused is not None and track.paused.count == 1
    assert track.paused.seconds == pytest.approx(PAUSED_PICTURE + DELAY + 1.5, abs=1.0)
    assert [(size.width, size.height) for size in track.sizes] == [(64, 36)]


async def test_how_the_call_came_in_goes_with_the_end_of_each_egress(call: PlayedCall, play: PlayScene):
    scene = await play(call, quality="audio-only")
    microphone = FakeTrack("audio", "opus")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, AUDIO, microphone))
    call.tell(QualityChanged(ANNA.session_id, "good"))
    await scene.begun()
    microphone.counts = TrackCounts(500, 4, 1, 499)
    call.tell(Disconnected("the connection broke"))
    await asyncio.sleep(0.3)
    call.tell(Connected())
    await asyncio.sleep(0.2)
    scene.attendant.stop("e1", "enough")
    await scene.until(lambda: scene.found(EgressEnded))
    [started], [stopped], [ended] = scene.found(EgressStarted), scene.found(EgressStopped), scene.found(EgressEnded)
    reception = ended.reception
    assert reception is not None
    assert abs((reception.start_time - started.at).total_seconds()) < 0.01
    assert abs((reception.end_time - stopped.at).total_seconds()) < 0.1
    assert reception.away is not None
    assert [s.reason for s in reception.away.listed] == ["the connection broke"]
    assert reception.away.seconds == pytest.approx(0.3, abs=0.2)
    [anna] = reception.participants
    assert (anna.user_id, anna.session_id, list(anna.quality)) == ("anna", "s-anna", ["good"])
    [track] = anna.tracks
    assert (track.type, track.codec, track.packets, track.repaired, track.lost) == ("audio", "opus", 500, 4, 1)


async def test_the_room_is_told_when_it_is_recorded_and_when_no_more(
    call: PlayedCall, play: PlayScene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telling, "NEWCOMER", (0.1,))
    scene = await play(call, quality="audio-only")
    call.tell(Connected(), Joined(ANNA))
    await scene.begun()
    await scene.until(lambda: call.room)
    call.tell(Joined(Participant("s-bert", "bert", "Bert")))
    await scene.until(lambda: len(call.room) == 2)
    scene.attendant.stop("e1", "enough")
    await scene.until(lambda: len(call.room) == 3)
    await scene.close()
    assert [(said["recording"], topic, to) for said, topic, to in call.room] == [
        (True, "stage", ()),
        (True, "stage", ("bert",)),
        (False, "stage", ()),
    ]
    assert call.room[0][0] == {
        "type": "egress_state",
        "call_cid": "default:played",
        "recording": True,
        "broadcasting": False,
        "transcribing": False,
    }
    assert call.left.is_set()


async def test_a_room_that_has_ended_is_told_nothing(call: PlayedCall, play: PlayScene):
    scene = await play(call, quality="audio-only")
    call.tell(Connected())
    await scene.begun()
    await scene.until(lambda: call.room)
    call.tell(Ended("the room was deleted"))
    await scene.until(lambda: scene.found(EgressEnded))
    await scene.close()
    assert len(call.room) == 1
    assert call.left.is_set()


async def test_how_the_call_came_in_so_far_is_told_now_and_then_until_it_is_stopped(
    call: PlayedCall, play: PlayScene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(composite, "SO_FAR", 0.9)
    scene = await play(call, quality="audio-only")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, AUDIO, FakeTrack("audio", "opus")))
    scene.attendant.direct(Directions(moderation=(Moderated(user_id="anna", audio="silence"),)))
    await scene.begun()
    await scene.until(lambda: len(scene.found(Received)) == 2)
    scene.attendant.stop("e1", "enough")
    await scene.until(lambda: scene.found(EgressEnded))
    final = scene.found(EgressEnded)[0].reception
    assert final is not None and not final.unfinished
    one, two = (report.reception for report in scene.found(Received))
    assert one.unfinished and one.start_time == two.start_time == final.start_time
    assert one.end_time < two.end_time <= final.end_time
    [spell] = two.participants[0].moderation
    assert (spell.start_time, spell.end_time, spell.audio) == (two.start_time, two.end_time, "silence")


async def test_of_two_egresses_each_tells_its_own_time(call: PlayedCall, play: PlayScene):
    scene = await play(call, quality="audio-only")
    call.tell(Connected(), Joined(ANNA))
    await scene.begun()
    await asyncio.sleep(0.4)
    first = scene.attendant.recordings.egresses["e1"].spec
    scene.attendant.start(first.model_copy(update={"egress_id": "e2"}))
    await scene.until(lambda: len(scene.found(EgressStarted)) == 2)
    scene.attendant.stop("e1", "enough")
    await asyncio.sleep(0.3)
    call.tell(Joined(Participant("s-bert", "bert", "Bert")))
    await asyncio.sleep(0.2)
    scene.attendant.stop("e2", "enough")
    await scene.until(lambda: len(scene.found(EgressEnded)) == 2)
    told = {e.egress_id: e.reception for e in scene.found(EgressEnded)}
    one, two = told["e1"], told["e2"]
    assert one is not None and two is not None
    assert [p.user_id for p in one.participants] == ["anna"]
    assert [p.user_id for p in two.participants] == ["anna", "bert"]
    assert two.start_time > one.start_time and two.end_time > one.end_time


async def test_a_layout_changes_while_it_is_recorded_and_a_bad_one_is_refused(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    call.tell(Connected(), Joined(ANNA))
    await scene.begun()
    director = scene.attendant.recordings.egresses["e1"].director
    assert director is not None and director.scene is not None and director.scene.layout == "grid"
    assert scene.attendant.update("e1", LayoutSettings(name="spotlight"))
    assert director.scene.layout == "spotlight", "at once, not at the next look"
    assert scene.attendant.update("e1", LayoutSettings(name="grid", options={"grid.colums": 1}))
    [refused] = scene.found(Refused)
    assert (refused.op, refused.code, refused.egress_id) == ("update", "bad_layout", "e1")
    assert director.scene.layout == "spotlight"
    assert not scene.attendant.update("e2", LayoutSettings())


async def test_who_is_hidden_is_not_received_and_is_again_when_shown(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    camera = FakeTrack("video", "vp8")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, VIDEO, camera))
    scene.feed(camera)
    await scene.begun()
    await scene.until(lambda: call.wanted() is not None)
    scene.attendant.direct(Directions(moderation=(Moderated(user_id="anna", video="hide"),)))
    assert call.wanted() is None and not camera.listened
    director = scene.attendant.recordings.egresses["e1"].director
    assert director is not None and director.scene is not None
    assert [tile.source for tile in director.scene.tiles] == [None]
    scene.attendant.direct(Directions())
    await scene.until(lambda: call.wanted() is not None and camera.listened)


async def test_who_was_blurred_is_asked_for_a_picture_that_may_be_shown(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    camera = FakeTrack("video", "vp8")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, VIDEO, camera))
    scene.feed(camera)
    await scene.begun()
    scene.attendant.direct(Directions(moderation=(Moderated(user_id="anna", video="blur"),)))
    director = scene.attendant.recordings.egresses["e1"].director
    assert director is not None and director.scene is not None
    assert [(tile.source, tile.blurred) for tile in director.scene.tiles] == [("video", True)]
    asked = camera.keyframes_asked
    scene.attendant.direct(Directions())
    assert camera.keyframes_asked == asked + 1


async def test_who_joins_is_moderated_before_anything_of_theirs_is_seen(call: PlayedCall, play: PlayScene):
    scene = await play(call)
    scene.attendant.direct(Directions(moderation=(Moderated(user_id="anna", video="blur", audio="silence"),)))
    call.tell(Connected(), Joined(ANNA))
    await scene.begun()
    restraints = scene.attendant._stage.restraints
    assert restraints.silenced(0.0) == {ANNA.session_id}
    call.tell(Left(ANNA.session_id))
    await scene.until(lambda: not scene.attendant.state.participants)
    assert restraints.silenced(time.monotonic()) == {ANNA.session_id}, "while anything of theirs is played out"


@pytest.mark.parametrize(
    ("size", "rotation", "quality", "canvas"),
    [
        ((36, 64), 0, "portrait-360x640", (360, 640)),
        ((64, 36), 90, "portrait-360x640", (360, 640)),
        ((64, 36), 0, "360p", (640, 360)),
    ],
)
async def test_the_canvas_is_turned_as_the_first_pictures_are_and_stays_so(
    call: PlayedCall, play: PlayScene, size: tuple[int, int], rotation: int, quality: str, canvas: tuple[int, int]
):
    scene = await play(call, layout={"name": "grid", "detect_orientation": True})
    camera = FakeTrack("video", "vp8")
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, VIDEO, camera))
    await scene.until(lambda: camera.listened)
    scene.feed(camera, size, rotation)
    path = await recorded(scene, 0.5)
    [started] = scene.found(EgressStarted)
    assert started.quality == quality
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == canvas


async def test_a_canvas_does_not_wait_for_ever_for_pictures_that_do_not_come(call: PlayedCall, play: PlayScene):
    scene = await play(call, layout={"name": "grid", "detect_orientation": True})
    call.tell(Connected(), Joined(ANNA), TrackAdded(ANNA.session_id, VIDEO, FakeTrack("video", "vp8")))
    await scene.begun()
    [started] = scene.found(EgressStarted)
    assert started.quality == "360p"
