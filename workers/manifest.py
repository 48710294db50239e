"""The manifest of a recording: what a file beside its files tells of them and of how the call came in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from egress.protocol.directions import ModeratedAudio, ModeratedVideo
from workers.events.models import Time
from workers.ledger.restraints import Restraint
from workers.ledger.tables import Egress, File

GAP = 0.25
"""Seconds between the end of a file and the beginning of the next one that are worth telling."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ManifestFile(_Part):
    """A file that is in the store. ``size`` is in bytes, ``duration`` in seconds."""

    part: int
    epoch: int
    key: str
    url: str
    start_time: Time
    end_time: Time
    duration: float
    size: int
    salvaged: bool = False
    """Whoever wrote it died; it is as whole as could be made of it."""


class LostFile(_Part):
    """A file that was begun and is not to be had."""

    part: int
    epoch: int
    start_time: Time
    reason: str


class Gap(_Part):
    """A time that no file shows."""

    start_time: Time
    end_time: Time
    seconds: float


class ModeratedTime(_Part):
    """A time of the recording in which somebody was moderated, as it was said."""

    user_id: str
    start_time: Time
    end_time: Time
    video: ModeratedVideo
    audio: ModeratedAudio


class Accompanied(_Part):
    """A file of a recording of the same session. What is said ``t`` seconds after the transcript's ``started_at`` is at
    ``t - offset`` seconds of the file."""

    egress_id: str
    recording_type: str
    part: int
    key: str
    url: str
    start_time: Time
    end_time: Time
    offset: float
    """Seconds from the transcript's ``started_at``, where its subtitles begin to count, to the file's start."""


class Manifest(_Part):
    """Fields that have no value are left out of what is written; fields are added, never renamed."""

    version: int = 1
    egress_id: str
    call_cid: str
    session_id: str
    kind: str
    recording_type: str
    state: str
    quality: str | None = None
    layout: str | None = None
    started_at: Time | None = None
    stopped_at: Time | None = None
    stop_reason: str | None = None
    error: str | None = None
    error_code: str | None = None
    files: list[ManifestFile]
    gaps: list[Gap] = Field(default_factory=list)
    """Of more than a quarter of a second."""
    lost: list[LostFile] = Field(default_factory=list)
    recordings: list[Accompanied] | None = None
    """Of a transcript: the files in which what it tells can be seen and heard."""
    moderation: list[ModeratedTime] = Field(default_factory=list)
    """By the words that were taken, so also while nobody attended the call. What is kept back is so from a little
    before."""
    moderation_left_out: int = 0
    """Earlier times of the session, of which some may belong to this."""
    attendants: list[dict[str, Any]] = Field(default_factory=list)
    """How the call came in at each process that attended it, with its epoch: a ``Reception`` of egress/protocol.
    That of one that died is ``unfinished``: it is what was told last."""
    attendants_left_out: int = 0

    @classmethod
    def of(
        cls,
        egress: Egress,
        files: Sequence[File],
        reception: Mapping[str, Any],
        moderation: tuple[Sequence[Restraint], int] = ((), 0),
        beside: Sequence[tuple[Egress, File]] = (),
    ) -> Self:
        """``reception`` as :func:`workers.ledger.receptions.of` gives it, ``moderation`` as
        :func:`workers.ledger.restraints.between`; ``beside``: the session's recordings."""
        there = sorted((_delivered(f) for f in files if f.state == "delivered"), key=lambda f: (f.start_time, f.part))
        return cls(
            egress_id=egress.id,
            call_cid=egress.call_cid,
            session_id=egress.session_id,
            kind=egress.kind,
            recording_type=egress.recording_type,
            state=egress.state,
            quality=egress.spec.get("quality"),
            layout=(egress.spec.get("layout") or {}).get("name"),
            started_at=egress.started_at,
            stopped_at=egress.stopped_at,
            stop_reason=egress.stop_reason,
            error=egress.error,
            error_code=egress.error_code,
            files=there,
            gaps=[] if egress.kind == "transcription" else gaps(there),
            lost=[
                LostFile(part=f.part, epoch=f.epoch, start_time=f.start_time, reason=f.error or "")
                for f in files
                if f.state == "dropped"
            ],
            recordings=[_accompanied(one, file, egress) for one, file in beside] or None,
            moderation=[
                ModeratedTime(
                    user_id=one.who.user_id,
                    start_time=one.start,
                    end_time=one.end,
                    video=one.who.video,
                    audio=one.who.audio,
                )
                for one in moderation[0]
            ],
            moderation_left_out=moderation[1],
            attendants=list(reception["attendants"]),
            attendants_left_out=reception["left_out"],
        )

    def text(self) -> str:
        """As it is written: JSON."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


def gaps(files: Sequence[ManifestFile]) -> list[Gap]:
    """Between files, the oldest first, of which two attendants may have written some at the same time."""
    found: list[Gap] = []
    until: datetime | None = None
    for file in files:
        if until is not None and (seconds := (file.start_time - until).total_seconds()) > GAP:
            found.append(Gap(start_time=until, end_time=file.start_time, seconds=round(seconds, 3)))
        until = file.end_time if until is None else max(until, file.end_time)
    return found


def _accompanied(recording: Egress, file: File, transcription: Egress) -> Accompanied:
    return Accompanied(
        egress_id=recording.id,
        recording_type=recording.recording_type,
        part=file.part,
        key=file.key or "",
        url=file.url or "",
        start_time=file.start_time,
        end_time=file.end_time or file.start_time,
        offset=round((file.start_time - (transcription.started_at or transcription.created_at)).total_seconds(), 3),
    )


def _delivered(file: File) -> ManifestFile:
    end = file.end_time or file.start_time
    return ManifestFile(
        part=file.part,
        epoch=file.epoch,
        key=file.key or "",
        url=file.url or "",
        start_time=file.start_time,
        end_time=end,
        duration=round((end - file.start_time).total_seconds() if file.duration is None else file.duration, 3),
        size=file.size or 0,
        salvaged=file.salvaged,
    )
