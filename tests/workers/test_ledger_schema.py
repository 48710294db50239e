"""The ledger's schema: made at once by many, brought over from the first one with its secrets sealed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from egress.sealing import Keyring, SealError, new_key
from tests.rig.servers.postgresql import PostgreSQL
from tests.workers.conftest import KEYS
from workers.ledger import upgrade
from workers.ledger.database import HEAD, Ledger, LedgerError
from workers.ledger.tables import CallSession, Egress, Event, File

TIME = "2025-02-10 09:15:44.252969+00:00"
CONNECTOR = {"type": "janus", "room": 1, "pin": "open sesame"}
SPEC = {"quality": "720p", "layout": {"name": "grid"}}


def to_first(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(upgrade.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def first_ledger(url: str) -> None:
    """A ledger as the first version left it: a call in the middle of its recording."""
    one = Ledger(url, KEYS)
    with one.engine.execution_options(wallflower_writes=True).begin() as connection:
        to_first(connection)
        for table, row in {
            "calls": {"cid": "default:abc", "events": 1, "created_at": TIME},
            "sessions": {
                "id": "s1",
                "call_cid": "default:abc",
                "connector": json.dumps(CONNECTOR),
                "owner": "host:1",
                "epoch": 3,
                "attendant_seq": 17,
                "created_at": TIME,
            },
            "egresses": {
                "id": "e1",
                "session_id": "s1",
                "call_cid": "default:abc",
                "kind": "composite_recording",
                "recording_type": "composite",
                "state": "active",
                "desired": "run",
                "spec": json.dumps(SPEC),
                "storage": "local",
                "next_part": 2,
                "files_closed": False,
                "restarts": 0,
                "recorded": 12.5,
                "participants": 3,
                "created_at": TIME,
                "updated_at": TIME,
            },
            "files": {
                "egress_id": "e1",
                "epoch": 3,
                "part": 1,
                "state": "open",
                "spool_path": "/spool/e1/1.mp4",
                "start_time": TIME,
                "salvaged": False,
            },
            "outbox": {
                "id": "0b6f",
                "call_cid": "default:abc",
                "position": 1,
                "type": "call.recording_started",
                "payload": json.dumps({"type": "call.recording_started"}),
                "created_at": TIME,
            },
        }.items():
            names = ", ".join(row)
            connection.execute(
                text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in row)})"), row
            )
    assert one.version() == "0001"
    one.close()


def raw(url: str, tmp_path: Path) -> bytes:
    """Every byte that the database keeps of these two tables."""
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in tmp_path.glob("ledger.sqlite*"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        return b"".join(
            bytes(connection.execute("SELECT pg_read_binary_file(pg_relation_filepath(%s))", [name]).fetchone()[0])  # type: ignore[index]
            for name in ("sessions", "egresses")
        )


def test_a_first_ledger_is_brought_over_whole_and_its_secrets_are_sealed(ledger_url: str, tmp_path: Path) -> None:
    first_ledger(ledger_url)
    assert b"open sesame" in raw(ledger_url, tmp_path)
    ledger = Ledger(ledger_url, KEYS)
    ledger.upgrade()
    assert ledger.version() == HEAD
    with ledger.reading() as tx:
        session, egress = tx.get_one(CallSession, "s1"), tx.get_one(Egress, "e1")
        assert (session.connector, session.epoch, session.announced) == (CONNECTOR, 3, False)
        assert (egress.spec, egress.state, egress.recorded, egress.auto) == (SPEC, "active", 12.5, False)
        assert tx.query(File).one().spool_path == "/spool/e1/1.mp4"
        assert tx.query(Event).one().payload == {"type": "call.recording_started"}
    ledger.close()
    assert b"sesame" not in raw(ledger_url, tmp_path)
    assert b"grid" not in raw(ledger_url, tmp_path)


def test_what_was_sealed_opens_with_its_key_alone(ledger_url: str) -> None:
    first_ledger(ledger_url)
    ledger = Ledger(ledger_url, KEYS)
    ledger.upgrade()
    ledger.close()
    other = Ledger(ledger_url, Keyring([new_key()]))
    with pytest.raises(SealError, match="its key is not here"), other.reading() as tx:
        tx.get(CallSession, "s1")
    other.close()


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "first"])
def test_many_workers_may_begin_at_once(ledger_url: str, filled: bool) -> None:
    if filled:
        first_ledger(ledger_url)
    failures: list[BaseException] = []
    together = threading.Barrier(4)

    def run() -> None:
        one = Ledger(ledger_url, KEYS)
        try:
            together.wait()
            one.upgrade()
            with one.reading() as tx:
                assert len(tx.query(CallSession).all()) == int(filled)
        except BaseException as error:
            failures.append(error)
        finally:
            one.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_ledger_of_a_newer_program_is_left_alone(ledger: Ledger) -> None:
    with ledger.engine.execution_options(wallflower_writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="stands at 9999, which a newer program made; this one knows"):
        ledger.upgrade()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_meant_by_each_of_its_names(postgresql: str, scheme: str) -> None:
    ledger = Ledger(postgresql.replace("postgresql", scheme, 1), KEYS)
    assert ledger.engine.driver == "psycopg"
    assert ledger.version() is None
    ledger.close()


def test_a_url_decides_over_our_defaults(postgresql_server: PostgreSQL, postgresql: str) -> None:
    ledger = Ledger(f"{postgresql}?application_name=mine&connect_timeout=2", KEYS)
    with ledger.reading() as tx:
        assert tx.execute(text("SHOW application_name")).scalar() == "mine"
        assert tx.execute(text("SHOW statement_timeout")).scalar() == "20s"
    ledger.close()
