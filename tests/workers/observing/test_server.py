"""Health, readiness and metrics, asked for by real HTTP."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.rig.servers.postgresql import PostgreSQL
from tests.rig.servers.redis import Redis
from tests.rig.servers.server import free_port
from tests.workers.conftest import KEYS, make_settings
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, DeadLetter, Egress, Event, File
from workers.observing import measured, metrics, vitals
from workers.observing.server import serving
from workers.observing.vitals import Vitals
from workers.settings import Settings, SettingsError
from workers.status import AgentStatus

STATUS = AgentStatus(
    attended=2, watched=3, waiting=1, cores=1.25, cpus=4.0, media_delays={"default:abc": 0.2, "a:b": 0.1}
)


@dataclass
class Site:
    """A worker's HTTP side, without the worker."""

    port: int
    ledger: Ledger
    vitals: Vitals
    settings: Settings

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, content type, body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def ready(self) -> tuple[int, dict[str, Any]]:
        self.vitals.look_once()
        status, _, body = self.get("/readyz")
        return status, json.loads(body)

    def sample(self, name: str, **labels: str) -> float | None:
        _, _, body = self.get("/metrics")
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def beat(self) -> None:
        """One pulse, as the worker's loop gives two a second."""
        self.vitals.beat()


@pytest.fixture
def around() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger for what does not depend on the database."""
    one = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", KEYS)
    one.upgrade()
    yield one
    one.close()


@pytest.fixture(autouse=True)
def _measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "FRESH", 0.0)


def site(around: ExitStack, folder: Path, ledger: Ledger, status: AgentStatus | None = STATUS, **sections: Any) -> Site:
    settings = make_settings(folder, http={"port": free_port()}, **sections)
    settings.spools.mkdir(parents=True, exist_ok=True)
    one = Vitals(settings, ledger, lambda: status)
    port = around.enter_context(serving(settings, ledger, one))
    assert port is not None and port == settings.http.port
    return Site(port, ledger, one, settings)


def test_a_worker_whose_loop_turns_is_alive(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    assert json.loads(one.get("/healthz")[2]) == {"alive": True, "text": "starting"}
    one.beat()
    status, content_type, body = one.get("/healthz")
    assert (status, content_type) == (200, "application/json")
    assert json.loads(body) == {"alive": True, "text": "the event loop turns"}


def test_a_worker_whose_loop_stands_still_is_not(
    around: ExitStack, tmp_path: Path, small: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = site(around, tmp_path / "data", small)
    one.beat()
    monkeypatch.setattr(vitals, "STUCK", 0.05)
    time.sleep(0.1)
    status, _, body = one.get("/healthz")
    assert status == 503
    assert "the event loop stands still" in json.loads(body)["text"]


def test_a_worker_is_ready_when_it_runs_and_reaches_what_it_needs(
    around: ExitStack, tmp_path: Path, small: Ledger
) -> None:
    one = site(around, tmp_path / "data", small)
    status, said = one.ready()
    assert status == 503 and said["reasons"] == ["loop: the worker is starting"]
    one.beat()
    status, said = one.ready()
    assert (status, said["ready"], said["reasons"]) == (200, True, [])
    assert set(said["checks"]) == {"loop", "ledger", "broker", "spool"}


def test_a_worker_that_ends_is_not_ready_but_alive(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small, replace(STATUS, draining=True))
    one.beat()
    status, said = one.ready()
    assert (status, said["reasons"]) == (503, ["draining: the worker is ending and takes nothing new"])
    assert one.get("/healthz")[0] == 200


def test_a_full_spool_is_not_ready(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small, spool={"min_free": 1 << 60})
    one.beat()
    status, said = one.ready()
    assert status == 503
    (reason,) = said["reasons"]
    assert reason.startswith("spool: ") and reason.endswith("less than spool.min_free")


def test_a_ledger_and_a_broker_that_are_away_are_told_and_come_back(around: ExitStack, tmp_path: Path) -> None:
    database, broker = around.enter_context(PostgreSQL()), around.enter_context(Redis())
    ledger = Ledger(database.url(), KEYS)
    around.callback(ledger.close)
    ledger.upgrade()
    one = site(around, tmp_path / "data", ledger, broker={"url": broker.url})
    one.beat()
    assert one.ready()[0] == 200 and one.sample("wallflower_ledger_up") == 1.0
    database.shoot()
    broker.shoot()
    status, said = one.ready()
    assert status == 503
    ledger_reason, broker_reason = said["reasons"]
    assert ledger_reason.startswith("ledger: the ledger postgresql+psycopg://wallflower:***@127.0.0.1")
    assert broker_reason.startswith("broker: redis://127.0.0.1") and "does not answer" in broker_reason
    assert one.sample("wallflower_ledger_up") == 0.0
    assert one.sample("wallflower_outbox_unsent") is None, "what is not known is not told"
    assert one.sample("wallflower_sessions_attended") == 2.0, "what is known is"
    database.launch()
    broker.launch()
    assert one.ready()[0] == 200 and one.sample("wallflower_ledger_up") == 1.0


def test_what_was_known_long_ago_is_not_told_as_known(
    around: ExitStack, tmp_path: Path, small: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = site(around, tmp_path / "data", small)
    one.beat()
    one.ready()
    one.vitals.end()
    monkeypatch.setattr(vitals, "STALE", -1.0)
    status, _, body = one.get("/readyz")
    assert status == 503 and "look: nothing is known" in json.loads(body)["reasons"][0]


def test_metrics_tell_what_the_ledger_knows(around: ExitStack, tmp_path: Path, ledger: Ledger) -> None:
    one = site(around, tmp_path / "data", ledger)
    fill(ledger)
    one.beat()
    kind = "composite_recording"
    assert one.sample("wallflower_egresses", kind=kind, state="active") == 2.0
    assert one.sample("wallflower_egresses", kind=kind, state="finalizing") == 1.0
    assert one.sample("wallflower_egresses", kind=kind, state="complete") is None
    assert one.sample("wallflower_upload_backlog_files", store="bucket") == 2.0
    assert one.sample("wallflower_upload_backlog_bytes", store="bucket") == 3000.0
    oldest = one.sample("wallflower_upload_backlog_oldest_seconds", store="bucket")
    assert oldest is not None and 100 <= oldest < 130
    assert one.sample("wallflower_outbox_unsent") == 1.0
    waiting = one.sample("wallflower_outbox_oldest_seconds")
    assert waiting is not None and 50 <= waiting < 80
    assert one.sample("wallflower_dead_letters") == 1.0
    free = one.sample("wallflower_spool_free_bytes")
    assert free is not None and free > 0


def test_metrics_tell_what_the_agent_does(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    assert one.sample("wallflower_sessions_attended") is None
    one.beat()
    told = {name: one.sample(f"wallflower_{name}") for name in ("sessions_attended", "sessions_watched")}
    assert told == {"sessions_attended": 2.0, "sessions_watched": 3.0}
    assert (one.sample("wallflower_cores_used"), one.sample("wallflower_cores_allowed")) == (1.25, 4.0)
    assert one.sample("wallflower_media_lateness_max_seconds") == 0.2


def test_counters_count(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    labels = {"type": "start_recording", "outcome": "accepted"}
    before = one.sample("wallflower_messages_total", **labels) or 0.0
    metrics.MESSAGES.labels("start_recording", "accepted").inc()
    assert one.sample("wallflower_messages_total", **labels) == before + 1
    metrics.MEDIA_DELAY.observe(1.1)
    assert (one.sample("wallflower_media_delay_seconds_bucket", le="1.25") or 0) >= 1


def test_what_is_counted_with_a_transaction_is_counted_once_it_is_written(ledger: Ledger) -> None:
    counter = metrics.EGRESSES_OVER.labels(f"test-{ledger.engine.dialect.name}", "complete")

    def count(fail: bool) -> None:
        with ledger.writing() as tx:
            tx.add(Call(cid=f"default:{fail}", events=0, created_at=datetime.now(UTC)))
            metrics.when_written(tx, counter)
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        count(True)
    assert counter._value.get() == 0
    count(False)
    assert counter._value.get() == 1


def test_metrics_name_no_call_and_no_egress(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    fill(small)
    one.beat()
    body = one.get("/metrics")[2]
    for identifier in ("default:abc", "s1", "e1", "a:b"):
        assert f'"{identifier}"' not in body


def test_metrics_come_as_the_scraper_likes_them(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    assert one.get("/metrics")[1].startswith("text/plain")
    status, content_type, body = one.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text") and body.endswith("# EOF\n")
    assert status == 200


def test_many_ask_at_once_and_get_their_answers(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    one.beat()
    got: list[int] = []
    asking = [threading.Thread(target=lambda: got.append(one.get("/metrics")[0])) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert got == [200] * 8


def test_what_is_not_there_is_said_with_what_is(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    status, _, body = one.get("/")
    assert status == 404 and "/healthz, /readyz, /metrics" in body


def test_a_port_that_is_taken_is_one_sentence(around: ExitStack, tmp_path: Path, small: Ledger) -> None:
    one = site(around, tmp_path / "data", small)
    with pytest.raises(SettingsError, match=rf"http\.port: 127\.0\.0\.1:{one.port} cannot be listened on"):
        around.enter_context(serving(one.settings, small, one.vitals))


def test_without_a_port_nothing_listens(tmp_path: Path, small: Ledger) -> None:
    settings = make_settings(tmp_path / "data")
    with serving(settings, small, Vitals(settings, small)) as port:
        assert port is None


def fill(ledger: Ledger) -> None:
    """Egresses in three states, two files that wait, one event that nobody has and one that nobody wanted."""
    now = datetime.now(UTC)

    def write(tx: Any) -> None:
        tx.add(Call(cid="default:abc", events=2, created_at=now))
        tx.flush()
        tx.add(CallSession(id="s1", call_cid="default:abc", connector={"type": "janus"}, created_at=now))
        tx.flush()
        for number, state in enumerate(("active", "active", "finalizing", "complete"), 1):
            tx.add(
                Egress(
                    id=f"e{number}",
                    session_id="s1",
                    call_cid="default:abc",
                    kind="composite_recording",
                    recording_type="composite",
                    state=state,
                    desired="run",
                    spec={},
                    storage="bucket",
                    created_at=now,
                    updated_at=now,
                )
            )
        tx.flush()
        for part, state in enumerate(("delivered", "closed", "closed", "open"), 1):
            tx.add(
                File(
                    egress_id="e1",
                    epoch=1,
                    part=part,
                    state=state,
                    spool_path=f"/spool/{part}",
                    size=1000 * (part - 1),
                    start_time=now,
                    end_time=now - timedelta(seconds=100),
                )
            )
        for position, sent in enumerate((now, None), 1):
            tx.add(
                Event(
                    id=f"event{position}",
                    call_cid="default:abc",
                    position=position,
                    type="t",
                    payload={},
                    created_at=now - timedelta(seconds=50),
                    sent_at=sent,
                )
            )
        tx.flush()
        tx.add(
            DeadLetter(sink="hook", call_cid="default:abc", event_id="event1", attempts=3, error="gone", created_at=now)
        )

    ledger.write(write)
