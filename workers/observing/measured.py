"""What the ledger knows, as gauges. Every worker tells the same of what all of them share: take the maximum."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workers.ledger import uploads
from workers.ledger.clock import now as ledger_clock
from workers.ledger.database import Ledger, LedgerError
from workers.ledger.states import LIVE
from workers.ledger.tables import DeadLetter, Egress, Event
from workers.observing.vitals import Vitals
from workers.settings import Settings
from workers.status import AgentStatus

FRESH = 5.0
"""Seconds for which what was measured is told again."""


@dataclass(frozen=True, slots=True)
class Backlog:
    files: int
    size: int
    oldest: float
    """Seconds since the oldest of them was closed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The ledger at one moment."""

    egresses: dict[tuple[str, str], int] = field(default_factory=dict)
    """Kind and state to number, of those not over."""
    backlog: dict[str, Backlog] = field(default_factory=dict)
    """Store to files that wait for it, on all hosts."""
    unsent: int = 0
    oldest_unsent: float = 0.0
    dead_letters: int = 0


def measure(tx: Session) -> Measured:
    now = ledger_clock(tx)
    live = Egress.state.in_([state.value for state in LIVE])
    counted = tx.execute(
        select(Egress.kind, Egress.state, func.count()).where(live).group_by(Egress.kind, Egress.state)
    )
    unsent, oldest = tx.execute(select(func.count(), func.min(Event.created_at)).where(Event.sent_at.is_(None))).one()
    return Measured(
        egresses={(kind, state): number for kind, state, number in counted},
        backlog={
            one.store: Backlog(one.files, one.bytes, _age(one.oldest, now)) for one in uploads.backlog(tx) if one.files
        },
        unsent=unsent,
        oldest_unsent=_age(oldest, now),
        dead_letters=tx.execute(select(func.count()).select_from(DeadLetter)).scalar_one(),
    )


def _age(time: datetime | None, now: datetime) -> float:
    return 0.0 if time is None else max(0.0, (now - time).total_seconds())


class Gauges(Collector):
    """What is told when it is asked for: of the ledger (not asked more often than fresh figures are due), the spool,
    the agent.
    """

    def __init__(self, ledger: Ledger, settings: Settings, vitals: Vitals) -> None:
        self._ledger, self._settings, self._vitals = ledger, settings, vitals
        self._lock = threading.Lock()
        self._last: Measured | None = None
        self._measured = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self._current()
        yield _gauge("wallflower_ledger_up", "Whether the ledger answered.", 0.0 if found is None else 1.0)
        yield from self._spool()
        if self._vitals.status is not None:
            yield from _of_agent(self._vitals.status)
        if found is not None:
            yield from _families(found, ["local", *(store.name for store in self._settings.stores)])

    def _current(self) -> Measured | None:
        with self._lock:
            if time.monotonic() - self._measured >= FRESH:
                try:
                    self._last = self._ledger.read(measure)
                except LedgerError:
                    self._last = None
                self._measured = time.monotonic()
            return self._last

    def _spool(self) -> Iterator[GaugeMetricFamily]:
        if self._settings.spools.exists():
            free = shutil.disk_usage(self._settings.spools).free
            yield _gauge("wallflower_spool_free_bytes", "Room on the disk of this worker's spool.", free)


def _of_agent(status: AgentStatus) -> Iterator[GaugeMetricFamily]:
    yield _gauge("wallflower_sessions_attended", "Sessions in which this worker has an attendant.", status.attended)
    yield _gauge("wallflower_sessions_watched", "Sessions that this worker watches from outside.", status.watched)
    yield _gauge("wallflower_sessions_waiting", "Sessions that wait for room on this worker.", status.waiting)
    yield _gauge("wallflower_cores_used", "Processor cores reckoned for what this worker attends.", status.cores)
    yield _gauge("wallflower_cores_allowed", "Processor cores that egresses may take here.", status.cpus)
    delay = max(status.media_delays.values(), default=0.0)
    text = "By how much the latest call of this worker is composed later than planned."
    yield _gauge("wallflower_media_lateness_max_seconds", text, delay)


def _families(found: Measured, stores: Iterable[str]) -> Iterator[GaugeMetricFamily]:
    egresses = GaugeMetricFamily(
        "wallflower_egresses", "Egresses that are not over, of all workers.", labels=["kind", "state"]
    )
    for labels, number in found.egresses.items():
        egresses.add_metric(labels, number)
    yield egresses
    files = GaugeMetricFamily(
        "wallflower_upload_backlog_files", "Closed files that wait for a store.", labels=["store"]
    )
    size = GaugeMetricFamily(
        "wallflower_upload_backlog_bytes", "Bytes of these files that were not sent yet.", labels=["store"]
    )
    oldest = GaugeMetricFamily(
        "wallflower_upload_backlog_oldest_seconds", "Since when the oldest of them waits.", labels=["store"]
    )
    for store in sorted({*stores, *found.backlog}):
        backlog = found.backlog.get(store, Backlog(0, 0, 0.0))
        files.add_metric([store], backlog.files)
        size.add_metric([store], backlog.size)
        oldest.add_metric([store], backlog.oldest)
    yield from (files, size, oldest)
    yield _gauge("wallflower_outbox_unsent", "Events that some sink does not have yet.", found.unsent)
    yield _gauge("wallflower_outbox_oldest_seconds", "Since when the oldest of them waits.", found.oldest_unsent)
    yield _gauge("wallflower_dead_letters", "Events that a sink never took.", found.dead_letters)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
