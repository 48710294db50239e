"""What messages about transcripts and closed captions do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from egress.protocol.reports import Spoken
from egress.protocol.speech import EXTERNAL
from egress.speech.languages import AUTO, NOT_UNDERSTOOD, not_understood
from workers.calls.models import SpeechSegmentConfig, TranscriptionSettings
from workers.calls.rooms import room
from workers.calls.settings import effective
from workers.calls.spoken import speech_wish
from workers.calls.stores import store
from workers.carry_out.request import Outcome, Request, derived_id, second_id
from workers.ledger import calls, speech, wishes
from workers.ledger.speech import CLOSED_CAPTIONS, TRANSCRIPTION
from workers.ledger.tables import Egress
from workers.messages import (
    SendClosedCaption,
    StartClosedCaptions,
    StartTranscription,
    StopClosedCaptions,
    StopTranscription,
    UpdateTranscription,
)
from workers.refused import BadMessage, Refused
from workers.settings import Settings

_CALLED = {TRANSCRIPTION: "transcription", CLOSED_CAPTIONS: "closed captions"}
_MODES = {TRANSCRIPTION: "mode", CLOSED_CAPTIONS: "closed_caption_mode"}
_OTHER = {TRANSCRIPTION: CLOSED_CAPTIONS, CLOSED_CAPTIONS: TRANSCRIPTION}
ASIDE = timedelta(minutes=1)
"""By which the clocks of an outside recogniser and of this machine may differ."""
LONGEST_SENTENCE = timedelta(minutes=10)
NO_MODEL = "this site makes no text of speech: its settings name no speech.model, and do not say speech.external"


def start_transcription(tx: Session, settings: Settings, message: StartTranscription, request: Request) -> Outcome:
    said = message.transcription_external_storage
    return _start(
        tx, settings, message, request, TRANSCRIPTION, said, "transcription_external_storage",
        both=message.enable_closed_captions,
    )  # fmt: skip


def start_closed_captions(tx: Session, settings: Settings, message: StartClosedCaptions, request: Request) -> Outcome:
    return _start(
        tx, settings, message, request, CLOSED_CAPTIONS, message.external_storage, "external_storage",
        both=message.enable_transcription, segments=message.speech_segment_config,
    )  # fmt: skip


def stop_transcription(tx: Session, settings: Settings, message: StopTranscription, request: Request) -> Outcome:
    return _stop(tx, message, request, TRANSCRIPTION, both=message.stop_closed_captions)


def stop_closed_captions(tx: Session, settings: Settings, message: StopClosedCaptions, request: Request) -> Outcome:
    return _stop(tx, message, request, CLOSED_CAPTIONS, both=message.stop_transcription)


def update(tx: Session, settings: Settings, message: UpdateTranscription, request: Request) -> Outcome:
    calls.known(tx, message.call_cid, request.now)
    found = speech.running(tx, message.call_cid, message.session_id)
    if not found:
        raise Refused(404, "neither transcription nor closed captions are running")
    understood(settings, message.language, request.languages)
    speak(found, message.language, request.now)
    return Outcome([egress.id for egress in found])


def understood(settings: Settings, language: str, known: Collection[str]) -> None:
    """Raises Refused for a language that this site does not take, or its engine, which knows ``known``, does not."""
    allowed = settings.speech.languages
    if allowed and language not in allowed:
        raise BadMessage(f"language: '{language}' is not understood here; the settings allow {', '.join(allowed)}")
    if (why := not_understood(language, known)) is not None:
        raise Refused(400, f"language: {why}", error_code=NOT_UNDERSTOOD)


def speak(egresses: list[Egress], language: str, now: datetime) -> None:
    """Another language is spoken from now on: whoever looks after the attendant tells it."""
    for egress in egresses:
        if egress.spec.get("language") != language:
            egress.spec = {**egress.spec, "language": language}
            egress.updated_at = now


def send(tx: Session, settings: Settings, message: SendClosedCaption, request: Request) -> Outcome:
    calls.known(tx, message.call_cid, request.now)
    found = speech.running(tx, message.call_cid, message.session_id)
    if not found:
        raise Refused(404, "neither transcription nor closed captions are running")
    sent = datetime.fromtimestamp(request.sent_ms / 1000, UTC)
    start = message.start_time or min(sent, message.end_time or sent)
    end = message.end_time or max(sent, start)
    _while_it_runs(start, end, found, request.now)
    language = message.language or found[-1].spec.get("language", AUTO)
    spoken = Spoken(
        at=request.now,
        id=message.caption_id or derived_id(message.call_cid, message.request_id or request.message_id),
        egress_ids=[egress.id for egress in found],
        participant="",
        user_id=message.speaker_id,
        name=message.user.name or "",
        image=message.user.image,
        role=message.user.role or "",
        text=message.text.strip(),
        start_time=start,
        end_time=end,
        language="" if language == AUTO else language,
        translated=message.translated,
        service=message.service or EXTERNAL,
    )
    speech.said(tx, found, spoken, request.now)
    return Outcome([egress.id for egress in found], True)


def _while_it_runs(start: datetime, end: datetime, found: list[Egress], now: datetime) -> None:
    """Raises BadMessage for a sentence that was not said while any of ``found`` ran."""
    began = min(egress.started_at or egress.created_at for egress in found)
    if end < began - ASIDE:
        raise BadMessage(f"end_time: {end.isoformat()} lies before {began.isoformat()}, when what runs began")
    if end > now + ASIDE:
        raise BadMessage(f"end_time: {end.isoformat()} lies in the future; it is {now.isoformat()}")
    if end - start > LONGEST_SENTENCE:
        raise BadMessage(
            f"start_time: the sentence would last from {start.isoformat()} to {end.isoformat()}; "
            f"{LONGEST_SENTENCE.seconds // 60} minutes are allowed"
        )


def _start(
    tx: Session,
    settings: Settings,
    message: StartTranscription | StartClosedCaptions,
    request: Request,
    kind: str,
    storage: str | None,
    storage_field: str,
    *,
    both: bool,
    segments: SpeechSegmentConfig | None = None,
) -> Outcome:
    cid = message.call_cid
    origin = message.request_id or request.message_id
    egress_id = message.egress_id or derived_id(cid, origin)
    call = calls.known(tx, cid, request.now)
    known = tx.get(Egress, egress_id)
    if known is not None and known.call_cid == cid:
        return Outcome([egress_id])
    found = effective(settings, call, cid).transcription
    for one in (kind, _OTHER[kind]) if both else (kind,):
        if getattr(found, _MODES[one]) == "disabled":
            called, name = _CALLED[one], _MODES[one]
            verb = "are" if one == CLOSED_CAPTIONS else "is"
            sentence = f"{called} {verb} disabled for this call: its settings say transcription.{name} disabled"
            raise Refused(403, sentence, error_code=f"{one}_disabled")
    if not settings.speech.available:
        raise Refused(403, NO_MODEL, error_code="no_speech_model")
    running = speech.running(tx, cid, message.session_id)
    if message.language is not None:
        found = found.model_copy(update={"language": message.language})
    elif running:
        # All egresses of a call hear the same: what was said of its language last holds.
        found = found.model_copy(update={"language": running[-1].spec.get("language", found.language)})
    understood(settings, found.language, request.languages)
    session = wishes.open_session(tx, cid, message.session_id)
    address = message.connector or (session.connector if session is not None else room(settings, call, cid))
    place = store(settings, call, cid, storage, storage_field)

    def want(kind: str, egress_id: str, found: TranscriptionSettings) -> wishes.Written:
        wish = speech_wish(
            settings,
            cid,
            egress_id,
            kind,
            found,
            connector=address,
            storage=place,
            session_id=message.session_id,
            segments=segments,
            request_id=message.request_id,
            asked_ms=request.sent_ms,
        )
        return wishes.want(tx, wish, request.now)

    written = [want(kind, egress_id, found)]
    if both and not any(egress.kind == _OTHER[kind] for egress in running):
        written.append(want(_OTHER[kind], second_id(cid, origin, _OTHER[kind]), found))
    if message.language is not None:
        speak(running, message.language, request.now)
    return Outcome([one.egress_id for one in written], written[0].created)


def _stop(
    tx: Session, message: StopTranscription | StopClosedCaptions, request: Request, kind: str, *, both: bool
) -> Outcome:
    found = wishes.unwant(
        tx,
        message.call_cid,
        request.now,
        recording_type=kind,
        egress_id=message.egress_id,
        session_id=message.session_id,
        asked_ms=request.sent_ms,
    )
    other = (
        wishes.unwant(
            tx,
            message.call_cid,
            request.now,
            recording_type=_OTHER[kind],
            session_id=message.session_id,
            asked_ms=request.sent_ms,
        )
        if both
        else []
    )
    if not found:
        # A start that was sent before it and is still on its way must find this.
        return Outcome(other, refusal=Refused(404, f"{_CALLED[kind]} not running"))
    return Outcome([*found, *other])
