"""Commands: agent to attendant."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from egress.protocol.directions import Directions
from egress.protocol.job import Job
from egress.protocol.model import Tolerant
from egress.protocol.recordings import LayoutSettings
from egress.protocol.specs import EgressSpec


class Fenced(Tolerant):
    """Carries the epoch of the lease under which it is given; with a lower one than before it is refused."""

    epoch: int


class _OfEgress(Fenced):
    egress_id: str


class Attend(Tolerant):
    """Take up this job (a spare attendant waits for it)."""

    op: Literal["attend"] = "attend"
    job: Job


class Start(Fenced):
    op: Literal["start"] = "start"
    egress: EgressSpec


class Stop(_OfEgress):
    op: Literal["stop"] = "stop"
    reason: str = Field(default="stopped by message", max_length=200)
    """Why, for people: it is told again in ``EgressStopped``."""


class Update(_OfEgress):
    """Change an egress's layout without a break in its file. Told again, it changes nothing.

    The canvas stays as it is, whatever the layout says of orientation.
    """

    op: Literal["update"] = "update"
    layout: LayoutSettings


class Direct(Fenced):
    """What is said of participants, in the place of all that was said before."""

    op: Literal["direct"] = "direct"
    directions: Directions


class SetLanguage(_OfEgress):
    """What is spoken from now on. Told again, it changes nothing."""

    op: Literal["set_language"] = "set_language"
    language: str


class Leave(Fenced):
    """Finish every file, leave the call and exit."""

    op: Literal["leave"] = "leave"
    resume: bool = False
    """What is recorded is to go on when somebody can see to it: its end is ``unasked``."""


class Hello(Tolerant):
    """First word of an agent on a connection: reports after ``after`` are told (again)."""

    op: Literal["hello"] = "hello"
    after: int = 0


class Ack(Tolerant):
    """Reports up to ``seq`` are kept safe elsewhere and can be forgotten."""

    op: Literal["ack"] = "ack"
    seq: int


class Ping(Tolerant):
    op: Literal["ping"] = "ping"


Command = Annotated[
    Attend | Start | Stop | Update | Direct | SetLanguage | Leave | Hello | Ack | Ping, Field(discriminator="op")
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
