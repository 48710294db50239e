"""What messages about recordings do."""

from __future__ import annotations

from sqlalchemy.orm import Session

from egress.protocol.recordings import LayoutSettings
from workers.calls.layouts import changed
from workers.calls.merging import merged
from workers.calls.models import RecordSettings
from workers.calls.pages import check_page_place
from workers.calls.rooms import room
from workers.calls.settings import effective
from workers.calls.stores import store
from workers.calls.style_sheets import check_place
from workers.calls.wanted import composite_wish
from workers.carry_out.request import Outcome, Request, derived_id
from workers.guard import guard_of
from workers.ledger import calls, wishes
from workers.ledger.tables import Egress
from workers.messages import StartRecording, StopAll, StopRecording, StopWebRecording, UpdateRecording
from workers.messages.recordings import check_drawn
from workers.refused import BadMessage, Refused
from workers.sentences import Inside
from workers.settings import Settings


def start(tx: Session, settings: Settings, message: StartRecording, request: Request) -> Outcome:
    cid = message.call_cid
    egress_id = message.egress_id or derived_id(cid, message.request_id or request.message_id)
    call = calls.known(tx, cid, request.now)
    known = tx.get(Egress, egress_id)
    if known is not None and known.call_cid == cid:
        return Outcome([egress_id])
    found = effective(settings, call, cid).recording
    if found.mode == "disabled":
        raise Refused(403, "recording is disabled for this call: its settings say recording.mode disabled")
    said = message.recording.model_dump(mode="json", exclude_unset=True)
    record = RecordSettings.model_validate(merged(found.model_dump(mode="json"), said))
    check_place(guard_of(settings), record.layout)
    check_page_place(guard_of(settings), record.layout.external_app_url, "recording.layout.external_app_url")
    session = wishes.open_session(tx, cid, message.session_id)
    wish = composite_wish(
        settings,
        cid,
        egress_id,
        record,
        connector=message.connector or (session.connector if session is not None else room(settings, call, cid)),
        storage=store(settings, call, cid, message.recording_external_storage),
        session_id=message.session_id,
        request_id=message.request_id,
        asked_ms=request.sent_ms,
        app=message.app,
    )
    written = wishes.want(tx, wish, request.now)
    return Outcome([written.egress_id], written.created)


def stop(tx: Session, settings: Settings, message: StopRecording, request: Request) -> Outcome:
    return stopped(tx, message, request, message.recording_type, "recording not running")


def stopped(
    tx: Session, message: StopRecording | StopWebRecording, request: Request, recording_type: str | None, otherwise: str
) -> Outcome:
    """Want what the message names no more; ``otherwise`` is told where nothing of the kind runs."""
    found = wishes.unwant(
        tx,
        message.call_cid,
        request.now,
        recording_type=recording_type,
        egress_id=message.egress_id,
        session_id=message.session_id,
        asked_ms=request.sent_ms,
    )
    if not found:
        # A start that was sent before it and is still on its way must find this.
        return Outcome([], refusal=Refused(404, otherwise))
    return Outcome(found)


def update(tx: Session, settings: Settings, message: UpdateRecording, request: Request) -> Outcome:
    """Write the layout into what is wanted; the attendant is told of it, and so is the next one."""
    calls.known(tx, message.call_cid, request.now)
    found = wishes.running(
        tx,
        message.call_cid,
        recording_type=message.recording_type,
        egress_id=message.egress_id,
        session_id=message.session_id,
    )
    if not found:
        raise Refused(404, "recording not running")
    layout = None if message.layout is None else message.layout.model_dump(mode="json")
    told: set[str] = set()
    for egress in found:
        if egress.spec.get("page") is not None:
            raise Refused(409, f"{egress.id} records a page, which has its layout from its own app", egress.id)
        before = LayoutSettings.model_validate(egress.spec.get("layout", {})).model_dump(mode="json")
        after, heard = changed(before, egress.heard or {}, layout, message.options, request.sent_ms)
        try:
            drawn = check_drawn(after)
        except Inside as error:
            raise BadMessage(*error.lines) from None
        check_place(guard_of(settings), drawn, "layout")
        after = drawn.model_dump(mode="json")
        egress.heard = heard
        if after != before:
            told |= {f"layout.{name}" for name in after if after[name] != before.get(name)}
            wishes.change_layout(tx, egress, after, request.now)
    return Outcome([egress.id for egress in found], changed=sorted(told))


def stop_all(tx: Session, settings: Settings, message: StopAll, request: Request) -> Outcome:
    return Outcome(
        wishes.unwant(tx, message.call_cid, request.now, session_id=message.session_id, asked_ms=request.sent_ms)
    )
