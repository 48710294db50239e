"""A real PostgreSQL in every way of being away, and transactions in each other's way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.rig.servers.postgresql import PASSWORD, PostgreSQL
from tests.rig.servers.server import free_port
from tests.workers.conftest import KEYS
from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.clock import now
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.ledger.tables import Call, Event, Lease


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    if not PostgreSQL.installed():
        pytest.skip("postgresql is not installed")
    with PostgreSQL(max_connections=16, superuser_reserved_connections=3) as one:
        yield one


@pytest.fixture
def mortal(server: PostgreSQL) -> Iterator[Ledger]:
    """A ledger on a server that the test may kill."""
    server.launch()
    url = server.database()
    one = Ledger(url, KEYS)
    one.upgrade()
    yield one
    one.close()
    server.launch()
    server.drop(url)


def put(tx: Session, cid: str = "default:abc") -> Event:
    return outbox.put(tx, {"type": "t", "call_cid": cid}, now(tx))


def count(ledger: Ledger) -> int:
    return ledger.read(lambda tx: len(tx.scalars(select(Event)).all()))


def together(*functions: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own; returns what they return, in order."""
    results: list[Any] = [None] * len(functions)

    def run(number: int) -> None:
        try:
            results[number] = functions[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_server_killed_in_mid_transaction_is_away_and_nothing_of_it_is_written(
    server: PostgreSQL, mortal: Ledger
) -> None:
    mortal.write(put)
    with pytest.raises(LedgerUnavailable), mortal.writing() as tx:
        put(tx)
        server.shoot()
        put(tx)
    with pytest.raises(LedgerUnavailable) as caught:
        count(mortal)
    assert PASSWORD not in str(caught.value) and PASSWORD.replace(" ", "%20") not in str(caught.value)
    server.launch()
    assert count(mortal) == 1


def test_what_was_committed_outlives_kill_9(server: PostgreSQL, mortal: Ledger) -> None:
    for _ in range(10):
        mortal.write(put)
    server.shoot()
    server.launch()
    assert count(mortal) == 10


def test_a_server_that_starts_is_away_until_it_is_there(server: PostgreSQL, mortal: Ledger) -> None:
    mortal.write(put)
    server.shoot()
    starting = threading.Thread(target=server.launch)
    starting.start()
    refusals, deadline = 0, time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert count(mortal) == 1
            break
        except LedgerUnavailable:
            refusals += 1
    starting.join()
    assert refusals > 0 and time.monotonic() < deadline


def test_a_server_that_shuts_down_sends_transactions_away(server: PostgreSQL, mortal: Ledger) -> None:
    with pytest.raises(LedgerUnavailable, match=r"terminating connection|closed"), mortal.writing() as tx:
        put(tx)
        server.halt()
        put(tx)
    server.launch()
    assert count(mortal) == 0


def test_a_session_that_was_ended_costs_one_transaction(server: PostgreSQL, mortal: Ledger) -> None:
    with pytest.raises(LedgerUnavailable), mortal.writing() as tx:
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(server.url(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        time.sleep(0.1)
        put(tx)
    mortal.write(put)
    assert count(mortal) == 1


def test_idle_connections_of_a_server_that_was_started_anew_are_not_noticed(server: PostgreSQL, mortal: Ledger) -> None:
    mortal.write(put)
    server.halt()
    server.launch()
    mortal.write(put)
    assert count(mortal) == 2


def test_too_many_connections_is_away(server: PostgreSQL, mortal: Ledger) -> None:
    mortal.close()
    with contextlib.ExitStack() as stack:
        # Not as superuser: for those a few connections are kept.
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("DROP ROLE IF EXISTS guest")
            admin.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        guest = server.url().replace("wallflower:" + PASSWORD.replace(" ", "%20"), "guest:guest")
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(20):
                stack.enter_context(contextlib.closing(psycopg.connect(guest)))
        other = Ledger(guest, KEYS)
        with pytest.raises(LedgerUnavailable, match=r"connection slots|too many"):
            other.version()
        other.close()


def test_nobody_listening_is_away_at_once() -> None:
    ledger = Ledger(f"postgresql://me:hushhush@127.0.0.1:{free_port()}/none", KEYS)
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable, match="refused") as caught:
        ledger.version()
    assert time.monotonic() - began < 2
    assert "hushhush" not in str(caught.value) and "me:***@" in str(caught.value)
    ledger.close()


def test_a_database_or_password_that_is_wrong_is_told(postgresql_server: PostgreSQL) -> None:
    for url, said in (
        (postgresql_server.url("nowhere"), 'database "nowhere" does not exist'),
        (postgresql_server.url().replace("wall%20of", "wrong%20of"), "password authentication failed"),
    ):
        ledger = Ledger(url, KEYS)
        with pytest.raises(LedgerUnavailable, match=said) as caught:
            ledger.version()
        assert "%20of" not in str(caught.value)
        ledger.close()


async def test_who_waits_for_the_ledger_goes_on_soon_after_it_is_back(server: PostgreSQL, mortal: Ledger) -> None:
    waiting = AsyncLedger(mortal)
    await waiting.write(put)
    await server.kill()
    task = asyncio.create_task(waiting.write(put))
    await asyncio.sleep(2.0)
    assert not task.done()
    await server.start()
    back = time.monotonic()
    await task
    assert time.monotonic() - back < 1.5
    assert await waiting.read(lambda tx: len(tx.scalars(select(Event)).all())) == 2
    await asyncio.to_thread(waiting.close)


def test_transactions_that_would_wait_for_each_other_for_ever_both_come_through(
    ledger: Ledger, ledger_url: str
) -> None:
    for name in ("a", "b"):
        ledger.write(lambda tx, name=name: tx.add(Lease(name=name, owner="nobody", expires=now(tx))))  # type: ignore[misc]
    met = threading.Barrier(2, timeout=10)
    other = Ledger(ledger_url, KEYS)

    def change(on: Ledger, first: str, second: str, owner: str) -> Callable[[], None]:
        tries = 0

        def run(tx: Session) -> None:
            nonlocal tries
            tries += 1
            tx.get_one(Lease, first).owner = owner
            tx.flush()
            if tries == 1 and ledger.engine.dialect.name == "postgresql":
                met.wait()
            tx.get_one(Lease, second).owner = owner

        return lambda: on.write(run)

    assert together(change(ledger, "a", "b", "us"), change(other, "b", "a", "them")) == [None, None]
    other.close()
    with ledger.reading() as tx:
        assert len({lease.owner for lease in tx.scalars(select(Lease))}) == 1


def test_of_many_that_begin_the_same_at_once_one_does(ledger: Ledger, ledger_url: str) -> None:
    others = [Ledger(ledger_url, KEYS) for _ in range(3)]

    def begin(on: Ledger, owner: str) -> Callable[[], bool]:
        def run(tx: Session) -> bool:
            if tx.scalars(select(Call)).first() is not None:
                return False
            # Different rows: no key keeps them apart, only what each of them read.
            tx.add(Call(cid=f"default:{owner}", events=0, created_at=now(tx)))
            return True

        return lambda: on.write(run)

    hosts = [ledger, *others, ledger, others[0]]
    assert sorted(together(*(begin(on, f"w{number}") for number, on in enumerate(hosts)))) == [False] * 5 + [True]
    for one in others:
        one.close()


def test_a_reader_sees_one_moment(ledger: Ledger) -> None:
    ledger.write(put)
    with ledger.reading() as tx:
        before = len(tx.scalars(select(Event)).all())
        ledger.write(put)
        assert len(tx.scalars(select(Event)).all()) == before == 1
    assert count(ledger) == 2


def test_a_fault_of_the_statement_is_no_absence_and_is_not_repeated(ledger: Ledger) -> None:
    tries = 0

    def wrong(tx: Session) -> None:
        nonlocal tries
        tries += 1
        tx.execute(text("SELECT thing FROM nowhere"))

    with pytest.raises(Exception, match="nowhere") as caught:
        ledger.write(wrong)
    if ledger.engine.dialect.name == "postgresql":  # SQLite calls everything operational
        assert not isinstance(caught.value, LedgerUnavailable)
    assert tries == 1
