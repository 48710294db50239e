"""What is known of one session while it is ours: its lease, and what its attendant was told and told us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from egress.protocol.directions import Directions
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.specs import EgressSpec
from workers.attending.hold import Hold
from workers.attending.surroundings import Surroundings
from workers.ledger.tables import CallSession


@dataclass(slots=True)
class Engagement:
    """Shared by what finds, commands and clears up after a session's attendants."""

    session: CallSession
    hold: Hold
    around: Surroundings
    present: Callable[[int | None], None]
    """Called with the number of participants that the attendant sees; None when no attendant sees any."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Something in the ledger may be different."""
    leaving: bool = False
    """The worker ends: whatever runs is to be finished, nothing is begun any more."""
    told: dict[str, str] = field(default_factory=dict)
    """The last command of each egress, since this attendant came."""
    layouts: dict[str, LayoutSettings] = field(default_factory=dict)
    """The layout of each egress, as this attendant was told it last."""
    directed: Directions | None = None
    """What this attendant was told of participants last; None while nobody knows."""
    languages: dict[str, str] = field(default_factory=dict)
    """What its attendant was told to be spoken, by egress."""
    asked_again: set[str] = field(default_factory=set)
    """Egresses that were ordered twice, because nobody knows whether the first order was heard."""
    media_delays: dict[str, float] = field(default_factory=dict)
    """Seconds by which each egress is composed later than planned."""

    def ordered(self, specs: Iterable[EgressSpec]) -> None:
        """Its attendant is told to start these: as they are drawn now, and with what is spoken."""
        for spec in specs:
            self.told[spec.egress_id] = "start"
            if isinstance(spec, CompositeRecording):
                self.layouts[spec.egress_id] = spec.layout
            else:
                self.languages[spec.egress_id] = spec.language

    def forget_orders(self) -> None:
        """Another attendant comes, which was told nothing yet."""
        self.told.clear()
        self.layouts.clear()
        self.languages.clear()
        self.directed = None
        self.asked_again.clear()

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def cid(self) -> str:
        return self.session.call_cid

    @property
    def epoch(self) -> int:
        return self.hold.epoch


def now() -> datetime:
    """The time as it is told to people; leases run by the ledger's clock."""
    return datetime.now(UTC)
