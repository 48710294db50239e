"""What a message does: it is checked and its wish is written to the ledger, or its refusal is told as an event."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from egress.protocol import CID, AudioEncoding, CompositeRecording, VideoEncoding
from workers.events import payloads
from workers.ledger import outbox, wishes
from workers.ledger.database import Ledger
from workers.messages import RECORDING_TYPES, StartRecording, StopRecording, parse
from workers.payload import BadMessage, shown
from workers.settings import Settings

log = logging.getLogger(__name__)

_NAMES = uuid.UUID("5b0b2b4e-7c1e-4a53-9a86-6b7d5a6cf3d1")
"""Ids made from other ids are made in this name space, so that a message that comes twice makes them once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. ``egress_ids`` are those that it concerns."""

    egress_ids: list[str]
    created: bool = False


def carry_out(ledger: Ledger, settings: Settings, message_type: str, payload: object, message_id: str) -> Outcome:
    """Carry a message out. Raises BadMessage, after the failure is told where the message names a call.

    Doing it twice with the same ``message_id`` changes nothing. Raises LedgerUnavailable.
    """
    try:
        message = parse(message_type, payload)
        if isinstance(message, StartRecording):
            return _start(ledger, settings, message, message_id)
        return _stop(ledger, message)
    except BadMessage as error:
        log.warning("%s %s is refused: %s", shown(str(message_type)), message_id, error)
        _tell_refusal(ledger, message_type, payload, message_id, error)
        raise


def _start(ledger: Ledger, settings: Settings, message: StartRecording, message_id: str) -> Outcome:
    storage = message.recording_external_storage or settings.storage.default
    if storage != settings.storage.default:
        raise BadMessage(
            f"recording_external_storage: '{shown(storage)}' is no storage; known are {settings.storage.default}"
        )
    egress_id = message.egress_id or derived_id(message.call_cid, message.request_id or message_id)
    spec = recording_spec(settings, message, egress_id)
    wish = wishes.Wish(
        call_cid=message.call_cid,
        egress_id=egress_id,
        kind=spec.kind,
        recording_type=message.recording_type,
        connector=message.connector,
        spec=spec.model_dump(mode="json", exclude={"egress_id", "first_part"}),
        storage=storage,
        session_id=message.session_id,
        request_id=message.request_id,
    )
    with ledger.writing() as tx:
        written = wishes.want(tx, wish, datetime.now(UTC), unique=message.egress_id is None)
    if written.created:
        log.info("%s of %s is wanted", written.egress_id, message.call_cid)
    else:
        log.info("%s of %s is wanted already", written.egress_id, message.call_cid)
    return Outcome([written.egress_id], written.created)


def _stop(ledger: Ledger, message: StopRecording) -> Outcome:
    with ledger.writing() as tx:
        found = wishes.unwant(
            tx,
            message.call_cid,
            datetime.now(UTC),
            recording_type=message.recording_type,
            egress_id=message.egress_id,
            session_id=message.session_id,
        )
    if not found:
        log.warning("nothing of %s is left to stop", message.call_cid)
    return Outcome(found)


def recording_spec(settings: Settings, message: StartRecording, egress_id: str) -> CompositeRecording:
    """What an attendant needs to know: the message's wishes with the settings' figures."""
    ours = settings.recording
    quality = message.recording.effective_quality
    return CompositeRecording(
        egress_id=egress_id,
        quality=quality,
        layout=message.recording.layout,
        video=VideoEncoding(
            fps=ours.fps,
            crf=ours.crf,
            max_bitrate=settings.bitrate_cap(quality.size),
            preset=ours.preset,
            threads=ours.threads,
            keyframe_interval=ours.keyframe_interval,
        ),
        audio=AudioEncoding(bitrate=ours.audio_bitrate, audio_only_format=ours.audio_only_format),
        roll_over=ours.roll_over_seconds,
    )


def derived_id(call_cid: str, origin: str) -> str:
    return str(uuid.uuid5(_NAMES, f"{call_cid}\n{origin}"))


def _tell_refusal(ledger: Ledger, message_type: str, payload: object, message_id: str, error: BadMessage) -> None:
    """``call.recording_failed`` for a start that is refused, where it says of which call."""
    if message_type != "start_recording" or not isinstance(payload, dict):
        return
    cid = _text(payload, "call_cid")
    if cid is None or not CID.fullmatch(cid):
        return
    given = _text(payload, "egress_id")
    known = given is not None and len(given) <= 64 and given.replace("-", "").replace("_", "").isalnum()
    egress_id = given if known and given is not None and given.isascii() else derived_id(cid, message_id)
    recording_type = _text(payload, "recording_type")
    now = datetime.now(UTC)
    event = payloads.recording_failed(
        cid,
        egress_id,
        recording_type if recording_type in RECORDING_TYPES else "composite",
        now,
        str(error)[:1000],
        "bad_message",
    )
    with ledger.writing() as tx:
        outbox.put(tx, event, now, event_id=str(uuid.uuid5(_NAMES, f"refused\n{cid}\n{message_id}")))


def _text(payload: dict[Any, Any], field: str) -> str | None:
    value = payload.get(field)
    return value if isinstance(value, str) else None
