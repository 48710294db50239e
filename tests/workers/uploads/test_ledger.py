"""What the ledger says of uploads, on both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from workers.ledger import clock, files, hosts, uploads
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, Egress, Event, File

T0 = datetime(2025, 2, 10, 9, 0, 0, tzinfo=UTC)
TOKEN = {"token": "t", "part_size": 8, "parts": [{"number": 1, "size": 8}]}


def opened(ledger: Ledger, *, epoch: int = 1, part: int = 1, host: str = "one", template: str | None = "") -> File:
    with ledger.writing() as tx:
        if tx.get(Call, "default:tests") is None:
            tx.add(Call(cid="default:tests", created_at=T0))
            tx.flush()
            tx.add(CallSession(id="s1", call_cid="default:tests", connector={"type": "loopback"}, created_at=T0))
            tx.flush()
            egress = Egress(
                id="e1",
                session_id="s1",
                call_cid="default:tests",
                kind="composite_recording",
                recording_type="composite",
                state="active",
                desired="run",
                spec={"quality": "720p"},
                storage="s3",
                created_at=T0,
                updated_at=T0,
                started_at=T0,
            )
            tx.add(egress)
            tx.flush()
        return files.opened(
            tx,
            tx.get_one(Egress, "e1"),
            epoch=epoch,
            part=part,
            path=Path(f"/spool/e1/{epoch}-{part}.mp4"),
            start_time=T0,
            host=host,
            template=template or "{egress_id}/{part}.{ext}" if template is not None else None,
        )


def closed(ledger: Ledger, file: File, size: int = 20) -> None:
    with ledger.writing() as tx:
        files.closed(
            tx.get_one(File, file.id),
            tx.get_one(Egress, "e1"),
            "{egress_id}/{part}.{ext}",
            start_time=T0,
            end_time=T0 + timedelta(seconds=10),
            size=size,
            duration=10.0,
        )


def row(ledger: Ledger, file: File) -> File:
    with ledger.reading() as tx:
        return tx.get_one(File, file.id)


def test_the_key_is_known_when_a_file_is_opened_and_stays(ledger: Ledger) -> None:
    file = opened(ledger)
    assert file.key == "e1/1.mp4"
    closed(ledger, file)
    assert row(ledger, file).key == "e1/1.mp4"


def test_two_hosts_that_both_record_a_part_do_not_share_a_key(ledger: Ledger) -> None:
    first, second = opened(ledger), opened(ledger, epoch=2, host="two")
    late = opened(ledger, epoch=3, host="three", template=None)
    closed(ledger, late)
    assert [row(ledger, one).key for one in (first, second, late)] == ["e1/1.mp4", "e1/1_e2.mp4", "e1/1_e3.mp4"]


def test_progress_is_written_by_the_host_that_has_the_file_alone(ledger: Ledger) -> None:
    file = opened(ledger)
    with ledger.writing() as tx:
        assert uploads.record(tx, file.id, "one", TOKEN)
        assert not uploads.record(tx, file.id, "two", None)
    assert row(ledger, file).upload == TOKEN
    with ledger.writing() as tx:
        assert uploads.record(tx, file.id, "one", None)
        assert tx.scalars(select(File.id).where(File.upload.is_not(None))).all() == []
    with ledger.reading() as tx:
        assert [one.file.id for one in uploads.pending(tx, "one")] == [file.id]
        assert uploads.pending(tx, "two") == []


def test_what_is_delivered_stays_noted_until_its_spool_file_is_gone(ledger: Ledger) -> None:
    file = opened(ledger)
    with ledger.writing() as tx:
        assert not uploads.delivered(tx, file.id, "one", "https://x", 20, T0, left=True)  # it is still open
    closed(ledger, file)
    with ledger.writing() as tx:
        assert uploads.waiting(tx, "one") == 1
        assert not uploads.delivered(tx, file.id, "two", "https://x", 20, T0, left=True)
        assert uploads.delivered(tx, file.id, "one", "https://x", 20, T0, left=True)
    with ledger.writing() as tx:
        assert [one.id for one in uploads.leftovers(tx, "one")] == [file.id]
        assert not uploads.seen_to(tx, file.id, "one")  # its egress goes on
    with ledger.reading() as tx:
        assert uploads.leftovers(tx, "one") == []
        assert uploads.waiting(tx, "one") == 0
        assert len(tx.scalars(select(Event)).all()) == 1


def test_files_of_a_worker_that_is_silent_are_taken_over_once(ledger: Ledger) -> None:
    file = opened(ledger)
    with ledger.writing() as tx:
        uploads.record(tx, file.id, "one", TOKEN)
        now = clock.now(tx)
        hosts.beat(tx, "one", "h", "1", now - timedelta(seconds=100))
        hosts.beat(tx, "two", "h", "1", now)
    with ledger.writing() as tx:
        assert uploads.abandoned(tx, "two", clock.now(tx), 120.0) == []
        assert uploads.abandoned(tx, "one", clock.now(tx), 60.0) == []
        ((found, store),) = uploads.abandoned(tx, "two", clock.now(tx), 60.0)
        assert (found.id, store) == (file.id, "s3")
        assert uploads.take_over(tx, found, "two")
    with ledger.writing() as tx:
        assert not uploads.take_over(tx, file, "three")
        assert uploads.abandoned(tx, "three", clock.now(tx), 60.0) == []
    assert row(ledger, file).host == "two"
    assert row(ledger, file).upload == {**TOKEN, "spool_host": "one"}


@pytest.mark.parametrize("whole", [False, True])
def test_a_completed_upload_of_a_dead_worker_is_told_and_waits_for_its_return(ledger: Ledger, whole: bool) -> None:
    file = opened(ledger)
    if whole:
        closed(ledger, file)
    with ledger.writing() as tx:
        assert uploads.take_over(tx, file, "two")
    with ledger.writing() as tx:
        end = T0 + timedelta(seconds=4)
        assert uploads.completed_elsewhere(tx, file.id, "two", "https://x", 20, end, T0)
        assert not uploads.completed_elsewhere(tx, file.id, "two", "https://x", 20, end, T0)
    found = row(ledger, file)
    assert (found.state, found.host, found.salvaged) == ("delivered", "one", not whole)
    assert found.duration == (10.0 if whole else 4.0)
    with ledger.writing() as tx:
        assert [one.id for one in uploads.leftovers(tx, "one")] == [file.id]
        assert uploads.found_again(tx, file.id, "one", 30, 12.0, "{egress_id}/{part}.{ext}")
        assert not uploads.found_again(tx, file.id, "one", 30, 12.0, "{egress_id}/{part}.{ext}")
    found = row(ledger, file)
    assert (found.state, found.size, found.key, found.upload) == ("closed", 30, "e1/1.mp4", None)


def test_the_backlog_counts_what_was_not_sent(ledger: Ledger) -> None:
    first, second = opened(ledger), opened(ledger, part=2)
    opened(ledger, part=3)
    for one in (first, second):
        closed(ledger, one)
    with ledger.writing() as tx:
        uploads.record(tx, first.id, "one", TOKEN)
    with ledger.reading() as tx:
        ended = T0 + timedelta(seconds=10)
        assert uploads.backlog(tx) == [uploads.Backlog("s3", 2, 12 + 20, 1, ended)]
