"""Clears up after an attendant: waits for its end, saves the files that it left, and ends what it can no longer end."""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.attendants import Attendant
from workers.attending.admission import TAKEN_UP
from workers.attending.engagement import Engagement, now
from workers.ledger import files, lifecycle
from workers.ledger.claims import owned
from workers.ledger.states import State
from workers.ledger.tables import Egress, File
from workers.salvage import unreported
from workers.settings import Settings

log = logging.getLogger(__name__)


async def parted(engaged: Engagement, attendant: Attendant) -> None:
    """It said its last word: wait for its end."""
    await see_off(engaged, attendant)
    await clear_up(engaged, attendant, crashed=False)


async def died(engaged: Engagement, attendant: Attendant) -> None:
    """It is gone without a last word: save what it left."""
    if not await attendant.gone(0.5):
        attendant.kill()
        await attendant.gone(2.0)
    await clear_up(engaged, attendant, crashed=True)


async def see_off(engaged: Engagement, attendant: Attendant) -> None:
    if not await attendant.gone(engaged.around.settings.attendants.leave_timeout):
        log.error("the attendant of %s said its last word but lives on; it is killed", engaged.cid)
        attendant.kill()
        await attendant.gone(1.0)


async def clear_up(engaged: Engagement, attendant: Attendant | None, *, crashed: bool) -> None:
    """Forget an attendant that has ended; None for one of another host, whose files are that host's business.

    Raises LeaseLost.
    """
    settings = engaged.around.settings

    def clear(tx: Session) -> list[File]:
        session = owned(tx, engaged.id, engaged.epoch)
        session.attendant_socket = session.attendant_pid = None
        session.attendant_seq = 0
        if attendant is not None:
            for egress in tx.scalars(
                select(Egress).where(Egress.session_id == engaged.id).order_by(Egress.created_at, Egress.id)
            ):
                if crashed or not State(egress.state).over:
                    enter_unreported(tx, settings, egress)
        left = [file for file in files.left_open(tx, engaged.id) if file.host in (None, settings.owner)]
        moment = now()
        for egress in lifecycle.live_egresses(tx, engaged.id):
            state = State(egress.state)
            ending = state in (State.STOPPING, State.FINALIZING) or (state in TAKEN_UP and egress.desired == "stop")
            if ending and not egress.files_closed:
                lifecycle.closed(tx, egress, "attendant_died", moment, moment)
        return left

    engaged.around.delivery.salvage(await engaged.around.ledger.write(clear))
    if attendant is not None:
        attendant.forget()


def enter_unreported(tx: Session, settings: Settings, egress: Egress) -> list[File]:
    """Enter files of which no attendant lived to tell; returns them."""
    known = [file.spool_path for file in files.of_egress(tx, egress.id)]
    return [
        files.opened(
            tx,
            egress,
            epoch=found.epoch,
            part=found.part,
            path=found.path,
            start_time=found.start_time,
            host=settings.owner,
        )
        for found in unreported(settings.spools / egress.id, known)
    ]
