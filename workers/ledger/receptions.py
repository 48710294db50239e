"""How calls came in, as their attendants told it: of each egress a list, one entry an attendant."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from egress.protocol.reception import Reception
from workers.ledger.tables import Egress

MOST = 10
"""Attendants of one egress whose reports are kept: the last ones."""


def add(tx: Session, egress_id: str, epoch: int, reception: Reception) -> None:
    """Keep what an attendant told, so far or at its end. Told again, it takes the place of what it told before."""
    known: dict[str, Any] = tx.execute(select(Egress.reception).where(Egress.id == egress_id)).scalar_one() or {}
    entry = {"epoch": epoch, **reception.model_dump(mode="json", exclude_defaults=True)}
    before = known.get("attendants", [])
    if reception.unfinished and any(_same(one, entry) and not one.get("unfinished") for one in before):
        return  # Of what tells a passing state the last may be heard after what was told at the end.
    told = [one for one in before if not _same(one, entry)]
    told = sorted([*told, entry], key=lambda one: str(one["start_time"]))
    left_out = known.get("left_out", 0) + max(0, len(told) - MOST)
    value = {"attendants": told[-MOST:], "left_out": left_out}
    tx.execute(
        update(Egress).where(Egress.id == egress_id).values(reception=value),
        execution_options={"synchronize_session": False},
    )


def of(tx: Session, egress_id: str) -> dict[str, Any]:
    """``attendants``: their reports, the oldest first. ``left_out``: how many earlier ones are not kept."""
    known = tx.execute(select(Egress.reception).where(Egress.id == egress_id)).scalar_one_or_none()
    return {"attendants": [], "left_out": 0} if known is None else dict(known)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether both are of one attendant: its epoch changes with who commands it."""
    return bool(one["start_time"] == other["start_time"])
