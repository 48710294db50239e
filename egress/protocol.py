"""What is said to an attendant and what it reports: the job file, commands and reports.

All are JSON objects, one a line, over the attendant's Unix socket. The job file is the ``Job`` alone. Everything here
is a stable interface: fields are added, never renamed.

Times are RFC 3339 strings in UTC; durations are seconds.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, field_validator, model_validator

from egress.rtc.ice_settings import IceSettings
from egress.url_guard import Guard

CID = re.compile(r"[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_.@!-]{1,128}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quality(StrEnum):
    """The size of a composed picture, or no picture at all."""

    AUDIO_ONLY = "audio-only"
    P360 = "360p"
    P480 = "480p"
    P720 = "720p"
    P1080 = "1080p"
    P1440 = "1440p"
    PORTRAIT_360X640 = "portrait-360x640"
    PORTRAIT_480X854 = "portrait-480x854"
    PORTRAIT_720X1280 = "portrait-720x1280"
    PORTRAIT_1080X1920 = "portrait-1080x1920"
    PORTRAIT_1440X2560 = "portrait-1440x2560"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; (0, 0) when there is no picture."""
        return _SIZES[self]

    def turned(self, portrait: bool) -> Quality:
        """The quality of as many pixels on a canvas that is higher than wide, or wider than high."""
        width, height = self.size
        if (height > width) == portrait or not width:
            return self
        return next(one for one, size in _SIZES.items() if size == (height, width))


_SIZES = {
    Quality.AUDIO_ONLY: (0, 0),
    Quality.P360: (640, 360),
    Quality.P480: (854, 480),
    Quality.P720: (1280, 720),
    Quality.P1080: (1920, 1080),
    Quality.P1440: (2560, 1440),
    Quality.PORTRAIT_360X640: (360, 640),
    Quality.PORTRAIT_480X854: (480, 854),
    Quality.PORTRAIT_720X1280: (720, 1280),
    Quality.PORTRAIT_1080X1920: (1080, 1920),
    Quality.PORTRAIT_1440X2560: (1440, 2560),
}


class LayoutSettings(_Model):
    """LayoutSettingsRequest of the call backends. ``name`` and ``options`` are checked by the layouts."""

    name: str = "grid"
    options: dict[str, Any] = Field(default_factory=dict)
    detect_orientation: bool = False
    external_css_url: str | None = None
    external_app_url: str | None = None


class VideoEncoding(_Model):
    """H.264 by x264 with capped constant quality."""

    fps: int = Field(default=30, ge=5, le=60)
    crf: int = Field(default=23, ge=10, le=40)
    max_bitrate: int | None = Field(default=None, ge=50_000, le=60_000_000)
    """Bits per second; None takes the cap that belongs to the resolution."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"
    threads: int = Field(default=1, ge=1, le=16)
    keyframe_interval: float = Field(default=2.0, ge=0.5, le=10)


class AudioEncoding(_Model):
    bitrate: int = Field(default=128_000, ge=32_000, le=320_000)
    """Bits per second of the stereo mix."""
    audio_only_format: Literal["mp3", "m4a"] = "mp3"


class PageSource(_Model):
    """A live web page in the place of a layout: it is the picture and the sound, and nothing is composed."""

    url: str = Field(min_length=1, max_length=2048)
    app: bool = True
    """Whether it is an app that shows a call, and is told which: by its query string and by ``window.setupLayout``."""
    await_start: bool = False
    """Whether nothing is recorded before the page says that it is ready."""
    server_url: str | None = Field(default=None, max_length=2048)
    """``url`` in the query string; None takes that of the call's SFU where its connector has one for pages."""
    token: str | None = Field(default=None, max_length=8192)
    """What lets the app join; None has one made where the connector can."""
    api_key: str | None = Field(default=None, max_length=256)
    user_id: str | None = Field(default=None, max_length=256)
    base_url: str | None = Field(default=None, max_length=2048)
    screenshare_layout: str | None = Field(default=None, max_length=64)
    webrtc: bool = True
    """Whether WebRTC in the page may speak to others than the guarded proxy."""
    max_duration: float | None = Field(default=None, gt=0)
    """Seconds after which the recording ends; None is no limit."""


class CompositeRecording(_Model):
    """One composite recording to make: layout and quality of its program, and how its files are cut."""

    kind: Literal["composite_recording", "web_recording"] = "composite_recording"
    """A web recording is of a page that need not have to do with the call."""
    egress_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    quality: Quality = Quality.P720
    layout: LayoutSettings = LayoutSettings()
    video: VideoEncoding = VideoEncoding()
    audio: AudioEncoding = AudioEncoding()
    roll_over: float = Field(default=7200.0, ge=1.0)
    """Seconds after which a file is closed and the next one begun."""
    first_part: int = Field(default=1, ge=1)
    page: PageSource | None = None
    """The page that is recorded instead of a layout of the call's pictures."""

    @model_validator(mode="after")
    def _has_a_page(self) -> CompositeRecording:
        if self.kind == "web_recording" and self.page is None:
            raise ValueError("page is missing, which a web recording is of")
        return self


class _Speech(_Model):
    """What is said in a call, as text. All egresses of a call that want it share one way from sound to text."""

    egress_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    language: str = Field(default="en", pattern=r"^([a-z]{2,3}|auto)$")
    """What is spoken; ``auto`` finds out."""
    silence_duration_ms: int = Field(default=700, ge=300, le=2000)
    """Silence after which what was said before is made into text."""
    max_speech_caption_ms: int = Field(default=9000, ge=5000, le=10000)
    """Speech without such a silence after which it is cut."""
    translate_to: tuple[str, ...] = Field(default=(), max_length=40)
    """Languages into which it is translated as well."""


class Transcription(_Speech):
    """Everything that is said, for the transcript."""

    kind: Literal["transcription"] = "transcription"
    words: bool = False
    """Tell the times of single words as well."""


class ClosedCaptions(_Speech):
    """What is said, told while the call goes on."""

    kind: Literal["closed_captions"] = "closed_captions"


SpeechSpec = Transcription | ClosedCaptions


SPEECH_KINDS = ("transcription", "closed_captions")
"""Kinds that end without a file of their attendant's: what is said is told in reports."""


def _kind(value: Any) -> str:
    """Which of the models it is; what is neither transcription nor captions is a recording of a picture."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in SPEECH_KINDS else "composite_recording"


EgressSpec = Annotated[
    Annotated[CompositeRecording, Tag("composite_recording")]
    | Annotated[CompositeRecording, Tag("web_recording")]
    | Annotated[Transcription, Tag("transcription")]
    | Annotated[ClosedCaptions, Tag("closed_captions")],
    Discriminator(_kind),
]
EGRESS_KINDS = ("composite_recording", *SPEECH_KINDS)
EGRESS_SPEC: TypeAdapter[EgressSpec] = TypeAdapter(EgressSpec)


class SpeechService(_Model):
    """Where the engine of this host listens that makes text of speech."""

    socket: Path
    service: str = Field(default="faster-whisper", max_length=64)
    """What captions tell of who made them."""


# What callers say of participants, for the session: the picture follows it in every program, whenever that began.

ModeratedVideo = Literal["show", "blur", "hide"]
"""What is seen of somebody's camera and shared screen."""
ModeratedAudio = Literal["keep", "silence"]
"""What is heard of somebody."""


class Pin(_Model):
    """Somebody who comes first: a user, or (``participant``) one participant by their session id."""

    user_id: str | None = None
    participant: str | None = None


class Moderated(_Model):
    """What may be seen and heard of a user, wherever they joined from."""

    user_id: str
    video: ModeratedVideo = "show"
    audio: ModeratedAudio = "keep"


class Directions(_Model):
    """All that is said of participants, as it is now. ``pins`` has the latest first."""

    pins: tuple[Pin, ...] = ()
    moderation: tuple[Moderated, ...] = ()


class GuardRules(_Model):
    """Which addresses outside may be spoken to, for pictures that messages and participants name."""

    schemes: frozenset[Literal["http", "https"]] = frozenset({"https", "http"})
    allow_private: tuple[str, ...] = ()
    """Networks such as ``10.0.0.0/8`` that are allowed although they are private, local or reserved."""

    @field_validator("allow_private")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no network such as 10.0.0.0/8") from None
        return value

    def guard(self) -> Guard:
        return Guard(self.schemes, self.allow_private)


class Job(_Model):
    """One call to attend."""

    call_cid: str
    session_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    epoch: int = Field(default=1, ge=1)
    connector: dict[str, Any]
    """The address of the room: ``type`` names the connector, the rest is that connector's."""
    ice: IceSettings = IceSettings()
    guard: GuardRules = GuardRules()
    spool: Path
    """Folder in which files are written, one folder an egress; made when missing."""
    speech: SpeechService | None = None
    """Needed for what is made of speech."""
    delay: float = Field(default=1.0, ge=0.2, le=10.0)
    """Seconds that composition runs behind live."""
    orphan_timeout: float = Field(default=60.0, ge=1.0)
    """Seconds without a word from an agent after which files are finished and the attendant exits."""
    duration: float | None = Field(default=None, gt=0)
    """Leave by itself after so many seconds of recording (for runs by hand)."""
    egresses: list[EgressSpec] = Field(default_factory=list)
    directions: Directions = Directions()
    """What is said of participants from the beginning."""

    @field_validator("call_cid")
    @classmethod
    def _cid(cls, value: str) -> str:
        if not CID.fullmatch(value):
            raise ValueError("call_cid must look like 'type:id' (letters, digits, '_' and '-')")
        return value

    @model_validator(mode="after")
    def _type(self) -> Job:
        if not isinstance(self.connector.get("type"), str):
            raise ValueError("connector.type must name a connector")
        return self


# Commands: agent to attendant. Each carries the epoch of the lease under which it is given; lower ones are refused.


class _Said(_Model):
    """Agent and attendant may be of different versions while a worker is upgraded: what is new to one is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Attend(_Said):
    """Take up this job (a spare attendant waits for it)."""

    op: Literal["attend"] = "attend"
    job: Job


class Start(_Said):
    op: Literal["start"] = "start"
    epoch: int
    egress: EgressSpec


class Stop(_Said):
    op: Literal["stop"] = "stop"
    epoch: int
    egress_id: str
    reason: str = Field(default="stopped by message", max_length=200)
    """Why, for people: it is told again in ``EgressStopped``."""


class Update(_Said):
    """Change an egress's layout without a break in its file. Told again, it changes nothing.

    The canvas stays as it is, whatever the layout says of orientation.
    """

    op: Literal["update"] = "update"
    epoch: int
    egress_id: str
    layout: LayoutSettings


class Direct(_Said):
    """What is said of participants, in the place of all that was said before."""

    op: Literal["direct"] = "direct"
    epoch: int
    directions: Directions


class SetLanguage(_Said):
    """What is spoken from now on. Told again, it changes nothing."""

    op: Literal["set_language"] = "set_language"
    epoch: int
    egress_id: str
    language: str


class Leave(_Said):
    """Finish every file, leave the call and exit."""

    op: Literal["leave"] = "leave"
    epoch: int
    resume: bool = False
    """What is recorded is to go on when somebody can see to it: its end is ``unasked``."""


class Hello(_Said):
    """First word of an agent on a connection: reports after ``after`` are told (again)."""

    op: Literal["hello"] = "hello"
    after: int = 0


class Ack(_Said):
    """Reports up to ``seq`` are kept safe elsewhere and can be forgotten."""

    op: Literal["ack"] = "ack"
    seq: int


class Ping(_Said):
    op: Literal["ping"] = "ping"


Command = Annotated[
    Attend | Start | Stop | Update | Direct | SetLanguage | Leave | Hello | Ack | Ping, Field(discriminator="op")
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


# Reports: attendant to agent. ``seq`` numbers them from 1; those with seq 0 tell a passing state and are not repeated.


class _Report(_Said):
    seq: int = 0
    at: datetime


class Ready(_Report):
    """A spare has everything loaded."""

    report: Literal["ready"] = "ready"
    pid: int


class Attends(_Report):
    """The answer to ``hello`` of an attendant that has a job: whose it is, and the highest epoch that commanded it."""

    report: Literal["attends"] = "attends"
    session_id: str
    epoch: int
    pid: int


class Connected(_Report):
    """The room is attended (again)."""

    report: Literal["connected"] = "connected"


class Disconnected(_Report):
    report: Literal["disconnected"] = "disconnected"
    reason: str


# How a call came in, told with the end of an egress for the time from its start to its end, and before that so far. All
# of it is bounded: lists hold what came first, and counts beside them tell the rest.

TrackName = Literal["audio", "video", "screen_share", "screen_share_audio"]


class Spell(_Said):
    """A time in which something was not as it should be."""

    start_time: datetime
    end_time: datetime
    reason: str = ""


class Spells(_Said):
    """How often that was, for how long altogether, and when."""

    count: int
    seconds: float
    listed: list[Spell] = Field(default_factory=list)


class PictureSize(_Said):
    """A size in which a track's pictures came: that of the camera, or of a layer that the SFU chose for us."""

    width: int
    height: int
    first: datetime
    """When it came first."""
    seconds: float
    """How long it came, altogether."""


class TrackReception(_Said):
    """What came of one kind of track of a participant, however often it was published anew."""

    type: TrackName
    codec: str = ""
    packets: int = 0
    repaired: int = 0
    """Packets that were missing at first: asked for again, or rebuilt from redundancy."""
    lost: int = 0
    frames: int = 0
    """Pictures, or packets of sound, that were whole."""
    frames_dropped: int = 0
    keyframes_asked: int = 0
    bytes: int = 0
    """Of payload."""
    silent: Spells | None = None
    """Times without a packet of a camera that was wanted, or of a microphone, that was not muted."""
    paused: Spells | None = None
    """Times in which the SFU did not send it, because our bandwidth was short."""
    unreadable: str | None = None
    """Why it could not be received."""
    sizes: list[PictureSize] = Field(default_factory=list)
    sizes_left_out: int = 0


class ModerationSpell(_Said):
    """A time in which not all of a participant was seen or heard."""

    start_time: datetime
    end_time: datetime
    video: ModeratedVideo
    audio: ModeratedAudio


class ParticipantReception(_Said):
    """A participant, from their coming to their going."""

    session_id: str
    user_id: str
    joined_at: datetime
    """Not before the egress began."""
    left_at: datetime | None = None
    """None when they were there to the end."""
    quality: dict[str, float] = Field(default_factory=dict)
    """Seconds by grade of their connection, where the SFU tells it: excellent, good, poor, lost."""
    tracks: list[TrackReception] = Field(default_factory=list)
    moderation: list[ModerationSpell] = Field(default_factory=list)
    """Composed pictures show them blurred, or their placeholder; outputs that cannot blur leave the track out."""
    moderation_left_out: int = 0


class Reception(_Said):
    """How the call came in at one attendant."""

    start_time: datetime
    end_time: datetime
    unfinished: bool = False
    """It went on after that: told in between, so that it is known of an attendant that is killed."""
    away: Spells | None = None
    """Times in which the SFU was out of reach. Media may have gone on."""
    room_metadata: str = ""
    """As the SFU told it last, cut at 8192 characters."""
    participants: list[ParticipantReception] = Field(default_factory=list)
    participants_left_out: int = 0


class EgressStarted(_Report):
    """The call is recorded from now on; ``at`` is the wall-clock time of the first picture (or sound)."""

    report: Literal["egress_started"] = "egress_started"
    egress_id: str
    quality: Quality | None = None
    """The quality that was chosen by the orientation of the pictures; None when it is the one that was asked for."""


class PartOpened(_Report):
    """A file is being written. Should its writer die, what is there can be played."""

    report: Literal["part_opened"] = "part_opened"
    egress_id: str
    part: int
    path: Path
    start_time: datetime


class PartClosed(_Report):
    """A file is complete. ``start_time`` and ``end_time`` are those of its first and last picture."""

    report: Literal["part_closed"] = "part_closed"
    egress_id: str
    part: int
    path: Path
    start_time: datetime
    end_time: datetime
    size: int
    duration: float


class EgressStopped(_Report):
    """Nothing more is recorded; ``at`` is when that was. The last file follows, then ``EgressEnded``."""

    report: Literal["egress_stopped"] = "egress_stopped"
    egress_id: str
    reason: str
    unasked: bool = False
    """The attendant leaves though nobody wanted the end: what is still wanted goes on with another one."""


class EgressEnded(_Report):
    """All files of the egress are closed."""

    report: Literal["egress_ended"] = "egress_ended"
    egress_id: str
    unasked: bool = False
    reception: Reception | None = None
    """How what was recorded had come in; None when nothing was."""


class EgressFailed(_Report):
    """The egress is over and not all it should be. Files closed before stay good."""

    report: Literal["egress_failed"] = "egress_failed"
    egress_id: str
    code: str
    error: str
    reception: Reception | None = None
    """As in ``EgressEnded``."""


class Refused(_Report):
    """A command was not carried out."""

    report: Literal["refused"] = "refused"
    op: str
    code: str
    error: str
    egress_id: str | None = None


class Warned(_Report):
    """Something people should know, which stops nothing."""

    report: Literal["warned"] = "warned"
    code: str
    message: str
    egress_id: str | None = None
    """None when it concerns the call, and all that is made of it."""
    participant: str | None = None
    """The participant's session id."""
    user_id: str | None = None
    track: TrackName | None = None
    picture: str | None = None
    """Where a picture is, without what may be secret in its address."""


class SpokenWord(_Said):
    text: str
    start_time: datetime
    end_time: datetime
    probability: float
    """How sure the engine is of it, 0 to 1."""


class Spoken(_Report):
    """Somebody said something: a segment of speech, once and for all."""

    report: Literal["spoken"] = "spoken"
    id: str
    """Of this text. Its translations have ids of their own."""
    egress_ids: list[str]
    """Those that want it."""
    participant: str
    """The participant's session id."""
    user_id: str
    name: str = ""
    image: str | None = None
    role: str = ""
    text: str
    start_time: datetime
    end_time: datetime
    language: str
    translated: bool = False
    service: str
    """What made the text of it."""
    words: list[SpokenWord] = Field(default_factory=list)


class Progress(_Report):
    """Once a second while something is recorded."""

    report: Literal["progress"] = "progress"
    egress_id: str
    recorded: float
    """Seconds."""
    size: int
    """Bytes in the spool."""
    participants: int
    pictures: int
    pictures_dropped: int
    media_delay: float = 0.0
    """Seconds by which the latest picture was composed later than planned."""


class Received(_Report):
    """Every 15 seconds while something is recorded: how it came in so far."""

    report: Literal["received"] = "received"
    egress_id: str
    reception: Reception


class Presence(_Report):
    """How many guests are in the room, ourselves left out: at every change, and every two seconds.

    Nothing is told while the room is out of reach: who was there last counts until it is known better.
    """

    report: Literal["presence"] = "presence"
    participants: int = Field(ge=0)


class Over(_Report):
    """Last word: the attendant exits. ``code`` is empty when all went as told."""

    report: Literal["over"] = "over"
    code: str
    reason: str
    unasked: bool = False
    room_ended: bool = False
    """The room is over, and the call's session with it; nobody told us to leave."""


class Pong(_Report):
    report: Literal["pong"] = "pong"


Report = Annotated[
    Ready
    | Attends
    | Connected
    | Disconnected
    | EgressStarted
    | PartOpened
    | PartClosed
    | EgressStopped
    | EgressEnded
    | EgressFailed
    | Refused
    | Warned
    | Spoken
    | Progress
    | Received
    | Presence
    | Over
    | Pong,
    Field(discriminator="report"),
]
REPORT: TypeAdapter[Report] = TypeAdapter(Report)
