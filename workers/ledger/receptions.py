"""How calls came in, as their attendants told it: of each egress a list, one entry an attendant."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from egress.protocol import Reception
from workers.ledger.tables import Egress

MOST = 10
"""Attendants of one egress whose reports are kept: the last ones."""


def add(tx: Session, egress_id: str, epoch: int, reception: Reception) -> None:
    """Keep what an attendant told at its end. Told again, it takes the place of what it told before."""
    known: dict[str, Any] = tx.execute(select(Egress.reception).where(Egress.id == egress_id)).scalar_one() or {}
    entry = {"epoch": epoch, **reception.model_dump(mode="json", exclude_defaults=True)}
    told = [one for one in known.get("attendants", []) if _of(one) != _of(entry)]
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


def _of(entry: dict[str, Any]) -> tuple[Any, Any]:
    return entry["epoch"], entry["start_time"]
