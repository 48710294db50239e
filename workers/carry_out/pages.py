"""What messages about recordings of web pages do."""

from __future__ import annotations

from sqlalchemy.orm import Session

from workers.calls.pages import check_page_place
from workers.calls.rooms import room_or_none
from workers.calls.stores import store
from workers.calls.wanted import web_wish
from workers.carry_out import recordings
from workers.carry_out.request import Outcome, Request, derived_id
from workers.guard import guard_of
from workers.ledger import calls, wishes
from workers.ledger.tables import Egress
from workers.messages import StartWebRecording, StopWebRecording
from workers.settings import Settings

NO_ROOM = {"type": "page"}


def start(tx: Session, settings: Settings, message: StartWebRecording, request: Request) -> Outcome:
    cid = message.call_cid
    egress_id = message.egress_id or derived_id(cid, message.request_id or request.message_id)
    call = calls.known(tx, cid, request.now)
    known = tx.get(Egress, egress_id)
    if known is not None and known.call_cid == cid:
        return Outcome([egress_id])
    check_page_place(guard_of(settings), message.page_url, "page_url")
    session = wishes.open_session(tx, cid, message.session_id)
    there = session.connector if session is not None else room_or_none(settings, call, cid) or NO_ROOM
    wish = web_wish(
        settings,
        egress_id,
        message,
        connector=message.connector or there,
        storage=store(settings, call, cid, message.recording_external_storage),
        session_id=message.session_id,
        request_id=message.request_id,
        asked_ms=request.sent_ms,
    )
    written = wishes.want(tx, wish, request.now)
    return Outcome([written.egress_id], written.created)


def stop(tx: Session, settings: Settings, message: StopWebRecording, request: Request) -> Outcome:
    return recordings.stopped(tx, message, request, "web", "web recording not running")
