"""What a call's settings start by themselves."""

from __future__ import annotations

import logging
import uuid

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from workers.calls.models import CallSettings
from workers.calls.settings import effective
from workers.calls.spoken import speech_wish
from workers.calls.stores import store
from workers.calls.wanted import composite_wish
from workers.ledger.speech import CLOSED_CAPTIONS, TRANSCRIPTION
from workers.ledger.states import LIVE
from workers.ledger.tables import Call, CallSession, Egress
from workers.ledger.wishes import Wish
from workers.settings import Settings

log = logging.getLogger(__name__)

_NAMES = uuid.UUID("0d5c8f0e-53a8-4d0b-9c1f-0f6b0a4f5a11")
"""Ids of automatic egresses are made in this name space, so that two workers that want the same one make one."""
_WARNED: set[tuple[str, str]] = set()


def automatic(settings: Settings, tx: Session, session: CallSession) -> list[Wish]:
    """The outputs that are auto-on for the session now, each to be handed to :func:`workers.ledger.wishes.want`.

    The same wish comes again for as long as what it started is to run. Raises BadMessage when the call's store is
    none of those that are known.
    """
    call = tx.get(Call, session.call_cid)
    found = effective(settings, call, session.call_cid)
    _warn_of_the_rest(found, session.call_cid)
    wished = []
    if found.recording.mode == "auto-on":
        kind = "composite_recording"
        wished.append(
            composite_wish(
                settings,
                session.call_cid,
                _egress_id(tx, session, kind),
                found.recording,
                connector=session.connector,
                storage=store(settings, call, session.call_cid),
                session_id=session.id,
                auto=True,
            )
        )
    for kind in _speech(settings, session.call_cid, found):
        wished.append(
            speech_wish(
                settings,
                session.call_cid,
                _egress_id(tx, session, kind),
                kind,
                found.transcription,
                connector=session.connector,
                storage=store(settings, call, session.call_cid),
                session_id=session.id,
                auto=True,
            )
        )
    return wished


def _speech(settings: Settings, cid: str, found: CallSettings) -> list[str]:
    modes = {TRANSCRIPTION: found.transcription.mode, CLOSED_CAPTIONS: found.transcription.closed_caption_mode}
    kinds = [kind for kind, mode in modes.items() if mode == "auto-on"]
    if kinds and not settings.speech.available:
        _warn_once(cid, "transcription", "%s: transcription is auto-on, but the settings name no speech.model", cid)
        return []
    return kinds


def _egress_id(tx: Session, session: CallSession, kind: str) -> str:
    """Named after the automatic ones of that kind that have run in this session, or are being stopped."""
    over = tx.scalar(
        select(func.count()).where(
            Egress.session_id == session.id,
            Egress.kind == kind,
            Egress.auto.is_(True),
            or_(Egress.state.not_in([state.value for state in LIVE]), Egress.desired == "stop"),
        )
    )
    return str(uuid.uuid5(_NAMES, f"{session.id}\n{kind}\n{over}"))


def not_made(found: CallSettings) -> list[str]:
    """The settings that ask for outputs by themselves that are not made."""
    asked = {
        "individual_recording.mode": found.individual_recording.mode,
        "raw_recording.mode": found.raw_recording.mode,
        "frame_recording.mode": found.frame_recording.mode,
        "broadcasting.hls.auto_on": "auto-on" if found.broadcasting.hls.auto_on else "",
    }
    return [name for name, mode in asked.items() if mode == "auto-on"]


def _warn_of_the_rest(found: CallSettings, cid: str) -> None:
    for name in not_made(found):
        _warn_once(cid, name, "%s: %s is auto-on, which has no effect: that is not made", cid, name)


def _warn_once(cid: str, name: str, *message: str) -> None:
    subject = (cid.partition(":")[0], name)
    if subject not in _WARNED and len(_WARNED) < 1000:
        _WARNED.add(subject)
        log.warning(*message)
