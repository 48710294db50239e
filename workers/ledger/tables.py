"""The tables of the ledger. Times are UTC; the same SQL runs on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from workers.ledger.sealed import Sealed

_Row = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: JSON}  # noqa: RUF012 - declared so by SQLAlchemy


class Call(Base):
    """A call that anything was ever asked for. ``events`` counts its events; its row orders them."""

    __tablename__ = "calls"
    __table_args__ = (Index("calls_untold", "untold", "cid"),)
    cid: Mapped[str] = mapped_column(String(193), primary_key=True)
    events: Mapped[int] = mapped_column(Integer, default=0)
    untold: Mapped[bool] = mapped_column(default=False)
    """Some sink does not have all of its events yet."""
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was said of this call alone, over the settings of its type: parts of a CallSettings."""
    external_storage: Mapped[str | None] = mapped_column(String(64))
    connector: Mapped[dict[str, Any] | None] = mapped_column(Sealed)
    """The room of the call, where a message named it for all sessions to come."""
    heard: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """When, by the clocks of those who sent them, messages were sent that later ones must not be undone by."""
    directions: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What was said of participants while no session was open: the next one begins with it."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class CallSession(Base):
    """One session of a call that is attended: the unit that a worker claims with a lease."""

    __tablename__ = "sessions"
    # Agents ask again and again for those that have not ended, among all that ever were.
    __table_args__ = (Index("sessions_open", "ended_at"),)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    call_cid: Mapped[str] = mapped_column(ForeignKey("calls.cid"), index=True)
    connector: Mapped[dict[str, Any]] = mapped_column(Sealed)
    announced: Mapped[bool] = mapped_column(default=False)
    """A backend told of it: it is watched until it ends, also while nothing runs."""
    first_join_at: Mapped[datetime | None]
    empty_since: Mapped[datetime | None]
    """When the last participant had gone; None while somebody is there, and before anybody came."""
    participants: Mapped[int] = mapped_column(Integer, default=0)
    end_reason: Mapped[str | None] = mapped_column(String(64))
    """Why it is to end, or ended: everything of it is stopped, nothing of it begins any more."""
    directions: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Pins and moderation (:mod:`workers.ledger.directions`)."""
    revision: Mapped[int] = mapped_column(Integer, default=0)
    """Counts what its attendant has to be told anew: directions, and layouts of what runs."""
    owner: Mapped[str | None] = mapped_column(String(128))
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    lease_expires: Mapped[datetime | None]
    attendant_socket: Mapped[str | None] = mapped_column(String(255))
    attendant_pid: Mapped[int | None]
    attendant_seq: Mapped[int] = mapped_column(Integer, default=0)
    """The last report of this attendant whose effects are written."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Egress(Base):
    """One requested output. ``desired`` is the wish (``run`` or ``stop``), ``state`` is how far things are."""

    __tablename__ = "egresses"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    call_cid: Mapped[str] = mapped_column(String(193), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    recording_type: Mapped[str] = mapped_column(String(16))
    request_id: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16), index=True)
    desired: Mapped[str] = mapped_column(String(8))
    auto: Mapped[bool] = mapped_column(default=False)
    """Nobody asked for it by message: the call's settings did."""
    asked_ms: Mapped[int | None] = mapped_column(BigInteger)
    """When its message was sent, in milliseconds of Unix time by the sender's clock."""
    spec: Mapped[dict[str, Any]] = mapped_column(Sealed)
    heard: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """When messages were sent that changed its layout, by the clocks of their senders."""
    storage: Mapped[str] = mapped_column(String(64))
    host: Mapped[str | None] = mapped_column(String(128))
    """The worker whose attendant told of its end: what is made of it then is made there."""
    next_part: Mapped[int] = mapped_column(Integer, default=1)
    files_closed: Mapped[bool] = mapped_column(default=False)
    """Nothing more will be written; what is left is delivery."""
    restarts: Mapped[int] = mapped_column(Integer, default=0)
    recorded: Mapped[float] = mapped_column(Double, default=0.0)
    """Seconds, as last told by the attendant."""
    participants: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str | None] = mapped_column(String(1000))
    error_code: Mapped[str | None] = mapped_column(String(64))
    stop_reason: Mapped[str | None] = mapped_column(String(200))
    reception: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """How the call came in at each attendant (:mod:`workers.ledger.receptions`). Long: only read when asked for."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class File(Base):
    """A file of an egress. ``state``: open, closed (to be delivered), delivered, dropped."""

    __tablename__ = "files"
    __table_args__ = (UniqueConstraint("egress_id", "epoch", "part"),)
    id: Mapped[int] = mapped_column(_Row, primary_key=True, autoincrement=True)
    egress_id: Mapped[str] = mapped_column(ForeignKey("egresses.id"), index=True)
    epoch: Mapped[int]
    part: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    host: Mapped[str | None] = mapped_column(String(128), index=True)
    """The worker in whose spool it lies."""
    spool_path: Mapped[str] = mapped_column(String(1000))
    upload: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """How far its upload is, when it is sent in parts: enough to complete it from another host. Of a file that is
    delivered or dropped: what is still to be done about the spool file."""
    key: Mapped[str | None] = mapped_column(String(1000))
    url: Mapped[str | None] = mapped_column(String(2000))
    size: Mapped[int | None] = mapped_column(BigInteger)
    start_time: Mapped[datetime]
    end_time: Mapped[datetime | None]
    duration: Mapped[float | None] = mapped_column(Double)
    salvaged: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(String(1000))


class Manifest(Base):
    """The manifest of an egress that is over: ``due`` (to be put beside its files) or ``delivered``."""

    __tablename__ = "manifests"
    __table_args__ = (Index("manifests_due", "state", "not_before"),)
    egress_id: Mapped[str] = mapped_column(ForeignKey("egresses.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    host: Mapped[str | None] = mapped_column(String(128))
    """The worker whose it is to deliver, while it lives."""
    key: Mapped[str] = mapped_column(String(1000))
    url: Mapped[str | None] = mapped_column(String(2000))
    revision: Mapped[int] = mapped_column(Integer, default=1)
    """Counts what it had to tell anew."""
    not_before: Mapped[datetime]
    """When it is tried next, by the ledger's clock."""
    error: Mapped[str | None] = mapped_column(String(1000))


class TranscriptLine(Base):
    """Something that was said in a call, kept until the transcript that it belongs to is delivered."""

    __tablename__ = "transcript_lines"
    __table_args__ = (UniqueConstraint("egress_id", "spoken"),)
    id: Mapped[int] = mapped_column(_Row, primary_key=True, autoincrement=True)
    egress_id: Mapped[str] = mapped_column(ForeignKey("egresses.id"))
    spoken: Mapped[str] = mapped_column(String(64))
    """The id of what was said: told again, it is here already."""
    start_time: Mapped[datetime]
    stop_time: Mapped[datetime]
    speaker_id: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(256))
    language: Mapped[str] = mapped_column(String(16))
    translated: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str] = mapped_column(Text)
    words: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class WorkerHost(Base):
    """A worker, and when it last gave a sign of life."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    hostname: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Lease(Base):
    """Work that one worker does for all of them, such as relaying events."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    expires: Mapped[datetime]


class SinkCursor(Base):
    """How far a sink is with a call's events. A call without a row has everything before its oldest unsent event."""

    __tablename__ = "sink_cursors"
    sink: Mapped[str] = mapped_column(String(255), primary_key=True)
    call_cid: Mapped[str] = mapped_column(String(193), primary_key=True)
    position: Mapped[int]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """How often the event behind it was tried without success."""


class DeadLetter(Base):
    """An event that a sink will not take. The later events of its call went on without it."""

    __tablename__ = "dead_letters"
    __table_args__ = (UniqueConstraint("sink", "event_id"), Index("dead_letters_call", "call_cid", "replay_at"))
    id: Mapped[int] = mapped_column(_Row, primary_key=True, autoincrement=True)
    sink: Mapped[str] = mapped_column(String(255))
    event_id: Mapped[str] = mapped_column(ForeignKey("outbox.id"), index=True)
    call_cid: Mapped[str] = mapped_column(String(193))
    attempts: Mapped[int]
    error: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime]
    replay_at: Mapped[datetime | None]
    """When it was asked to be sent again, while that has not happened."""


class Event(Base):
    """The outbox: what happened, written with the state it tells, until every sink has it."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("call_cid", "position"), Index("outbox_unsent", "sent_at", "seq"))
    seq: Mapped[int] = mapped_column(_Row, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    call_cid: Mapped[str] = mapped_column(String(193))
    position: Mapped[int]
    """Order among the events of the call, from 1."""
    type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
