"""What is known of a message beside what it says, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from workers.refused import Refused

_NAMES = uuid.UUID("5b0b2b4e-7c1e-4a53-9a86-6b7d5a6cf3d1")
"""Ids made from other ids are made in this name space, so that a message that comes twice makes them once."""


@dataclass(frozen=True, slots=True)
class Request:
    """``sent_ms`` is by the sender's clock, ``now`` by ours."""

    message_id: str
    sent_ms: int
    now: datetime
    languages: Collection[str] = ()
    """Those that the speech engine of this worker understands; none where it is not known yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. ``egress_ids`` are those that it concerns.

    A ``refusal`` stands here, and is not raised, where something has to be remembered all the same.
    """

    egress_ids: list[str]
    created: bool = False
    changed: list[str] | None = None
    refusal: Refused | None = None

    def __str__(self) -> str:
        if self.refusal is not None:
            return str(self.refusal)
        said = [*self.egress_ids, *(self.changed or ())]
        return f"{', '.join(said) or 'nothing'}{'' if self.created or self.changed else ', no news'}"


def derived_id(call_cid: str, origin: str) -> str:
    """An id that is the same whenever it is made of the same call and origin."""
    return str(uuid.uuid5(_NAMES, f"{call_cid}\n{origin}"))


def second_id(call_cid: str, origin: str, kind: str) -> str:
    """The id of what a message asks for along with what it is named for."""
    return derived_id(call_cid, f"{origin}\n{kind}")


def derived_event(*origin: str) -> str:
    return str(uuid.uuid5(_NAMES, "\n".join(origin)))
