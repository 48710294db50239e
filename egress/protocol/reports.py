"""Reports: attendant to agent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from egress.protocol.encoding import Quality
from egress.protocol.model import Tolerant
from egress.protocol.reception import Reception, TrackName


class _Report(Tolerant):
    seq: int = 0
    """Numbers them from 1; those with 0 tell a passing state and are not repeated."""
    at: datetime


class _OfEgress(_Report):
    egress_id: str


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


class EgressStarted(_OfEgress):
    """The call is recorded from now on; ``at`` is the wall-clock time of the first picture (or sound)."""

    report: Literal["egress_started"] = "egress_started"
    quality: Quality | None = None
    """The quality that was chosen by the orientation of the pictures; None when it is the one that was asked for."""


class PartOpened(_OfEgress):
    """A file is being written. Should its writer die, what is there can be played."""

    report: Literal["part_opened"] = "part_opened"
    part: int
    path: Path
    start_time: datetime


class PartClosed(_OfEgress):
    """A file is complete. ``start_time`` and ``end_time`` are those of its first and last picture."""

    report: Literal["part_closed"] = "part_closed"
    part: int
    path: Path
    start_time: datetime
    end_time: datetime
    size: int
    duration: float


class EgressStopped(_OfEgress):
    """Nothing more is recorded; ``at`` is when that was. The last file follows, then ``EgressEnded``."""

    report: Literal["egress_stopped"] = "egress_stopped"
    reason: str
    unasked: bool = False
    """The attendant leaves though nobody wanted the end: what is still wanted goes on with another one."""


class EgressEnded(_OfEgress):
    """All files of the egress are closed."""

    report: Literal["egress_ended"] = "egress_ended"
    unasked: bool = False
    reception: Reception | None = None
    """How what was recorded had come in; None when nothing was."""


class EgressFailed(_OfEgress):
    """The egress is over and not all it should be. Files closed before stay good."""

    report: Literal["egress_failed"] = "egress_failed"
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


class SpokenWord(Tolerant):
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


class LanguageKept(_OfEgress):
    """What is said is heard in ``language`` as before, since ``refused`` is none that the engine understands."""

    report: Literal["language_kept"] = "language_kept"
    language: str
    refused: str


class Progress(_OfEgress):
    """Once a second while something is recorded."""

    report: Literal["progress"] = "progress"
    recorded: float
    """Seconds."""
    size: int
    """Bytes in the spool."""
    participants: int
    pictures: int
    pictures_dropped: int
    media_delay: float = 0.0
    """Seconds by which the latest picture was composed later than planned."""


class Received(_OfEgress):
    """Every 15 seconds while something is recorded: how it came in so far."""

    report: Literal["received"] = "received"
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
    | LanguageKept
    | Progress
    | Received
    | Presence
    | Over
    | Pong,
    Field(discriminator="report"),
]
REPORT: TypeAdapter[Report] = TypeAdapter(Report)
