"""Manifests: what they tell, when they are due, and who delivers them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from egress.protocol.reception import Reception
from egress.protocol.reports import EgressEnded, EgressFailed, EgressStarted, PartOpened
from tests.workers.test_ledger import T0, begun, closed_part, state, tell
from workers.ledger import clock, directions, files, hosts, manifests, uploads
from workers.ledger.database import Ledger
from workers.ledger.manifests import Due, Reach
from workers.ledger.tables import CallSession, Egress, File
from workers.ledger.tables import Manifest as Row
from workers.manifest import GAP, Manifest, ManifestFile, gaps


def file(start: float, end: float, part: int = 1) -> ManifestFile:
    return ManifestFile(
        part=part,
        epoch=1,
        key=f"{part}.mp4",
        url=f"file:///{part}.mp4",
        start_time=at(start),
        end_time=at(end),
        duration=end - start,
        size=1,
    )


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([(0, 10)], []),
        ([(0, 10), (10.03, 20)], []),
        ([(0, 10), (10 + GAP - 0.01, 20)], []),
        ([(0, 10), (12.5, 20), (20.03, 30), (31, 40)], [(10, 12.5), (30, 31)]),
        # Two attendants that recorded at the same time.
        ([(0, 30), (8, 12), (30.1, 40)], []),
        ([(0, 10), (8, 30), (33, 40)], [(30, 33)]),
    ],
)
def test_gaps_are_the_times_that_no_file_shows(spans: list[Any], expected: list[Any]) -> None:
    found = gaps([file(start, end, n) for n, (start, end) in enumerate(spans)])
    assert [(gap.start_time, gap.end_time) for gap in found] == [(at(start), at(end)) for start, end in expected]
    assert [gap.seconds for gap in found] == [end - start for start, end in expected]


REACH = Reach("host", frozenset({"local"}), frozenset(), 120.0)


def row(ledger: Ledger, egress_id: str = "e1") -> Row | None:
    with ledger.reading() as tx:
        return tx.get(Row, egress_id)


def take(ledger: Ledger, reach: Reach = REACH, store: str = "local") -> Due | None:
    with ledger.writing() as tx:
        return manifests.take(tx, reach, store)


def delivered(ledger: Ledger, file_id: int) -> None:
    with ledger.writing() as tx:
        files.delivered(tx, file_id, f"file:///{file_id}.mp4", 1000 + file_id, T0)


def recorded(ledger: Ledger, *, store: str = "local") -> None:
    """e1 is complete, with two files."""
    begun(ledger)
    with ledger.writing() as tx:
        tx.execute(update(Egress).values(storage=store))
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2, 1))
    tell(ledger, closed_part(3, 2).model_copy(update={"start_time": at(14), "end_time": at(20), "duration": 6.0}))
    delivered(ledger, 1)
    reception = Reception(start_time=T0, end_time=at(20), participants_left_out=2)
    tell(ledger, EgressEnded(seq=4, at=at(20), egress_id="e1", reception=reception))
    assert row(ledger) is None
    delivered(ledger, 2)
    assert state(ledger) == "complete"


def test_a_manifest_is_due_when_the_last_file_is_delivered_and_tells_of_all(ledger: Ledger) -> None:
    recorded(ledger)
    due = take(ledger)
    assert due is not None
    assert due.key == "default/abc/s1/e1_20250210T091544Z_001.manifest.json"
    told = json.loads(due.text)
    assert told == {
        "version": 1,
        "egress_id": "e1",
        "call_cid": "default:abc",
        "session_id": "s1",
        "kind": "composite_recording",
        "recording_type": "composite",
        "state": "complete",
        "quality": "720p",
        "started_at": "2025-02-10T09:15:44.252969Z",
        "stopped_at": "2025-02-10T09:16:04.252969Z",
        "stop_reason": "ended",
        "files": [
            {
                "part": 1,
                "epoch": 1,
                "key": "default/abc/s1/e1_20250210T091544Z_001.mp4",
                "url": "file:///1.mp4",
                "start_time": "2025-02-10T09:15:44.252969Z",
                "end_time": "2025-02-10T09:15:54.252969Z",
                "duration": 10.0,
                "size": 1001,
                "salvaged": False,
            },
            {
                "part": 2,
                "epoch": 1,
                "key": "default/abc/s1/e1_20250210T091558Z_002.mp4",
                "url": "file:///2.mp4",
                "start_time": "2025-02-10T09:15:58.252969Z",
                "end_time": "2025-02-10T09:16:04.252969Z",
                "duration": 6.0,
                "size": 1002,
                "salvaged": False,
            },
        ],
        "gaps": [
            {
                "start_time": "2025-02-10T09:15:54.252969Z",
                "end_time": "2025-02-10T09:15:58.252969Z",
                "seconds": 4.0,
            }
        ],
        "lost": [],
        "moderation": [],
        "moderation_left_out": 0,
        "attendants": [
            {
                "epoch": 1,
                "start_time": "2025-02-10T09:15:44.252969Z",
                "end_time": "2025-02-10T09:16:04.252969Z",
                "participants_left_out": 2,
            }
        ],
        "attendants_left_out": 0,
    }
    with ledger.writing() as tx:
        manifests.delivered(tx, due, "file:///m.json")
    found = row(ledger)
    assert found is not None
    assert (found.state, found.url, found.error) == ("delivered", "file:///m.json", None)
    assert take(ledger) is None


def moderate(ledger: Ledger, seconds: float, user_id: str, **words: str) -> None:
    with ledger.writing() as tx:
        session = tx.get_one(CallSession, "s1")
        said = directions.moderated(session.directions or {}, user_id, words, round(1000 * at(seconds).timestamp()))
        directions.change(session, said, at(seconds))


def test_who_was_moderated_is_told_though_no_attendant_lived_to_tell_it(ledger: Ledger) -> None:
    begun(ledger)
    moderate(ledger, -60, "anna", video="hide")
    moderate(ledger, -50, "anna", video="show")
    moderate(ledger, -5, "bert", video="blur", audio="silence")
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    moderate(ledger, 4, "anna", audio="silence")
    moderate(ledger, 5, "anna", audio="silence")
    moderate(ledger, 8, "bert", audio="keep")
    moderate(ledger, 12, "bert", video="show")
    tell(ledger, closed_part(2))
    tell(ledger, EgressEnded(seq=3, at=at(20), egress_id="e1"))
    moderate(ledger, 30, "anna", audio="keep")
    moderate(ledger, 31, "cem", video="hide")
    delivered(ledger, 1)
    due = take(ledger)
    assert due is not None
    told = Manifest.model_validate_json(due.text)
    assert told.attendants == [] and told.moderation_left_out == 0
    seconds = [
        (one.user_id, *(round((time - T0).total_seconds(), 2) for time in (one.start_time, one.end_time)))
        for one in told.moderation
    ]
    assert seconds == [("bert", 0, 8), ("anna", 4, 20), ("bert", 8, 12)]
    assert [(one.video, one.audio) for one in told.moderation] == [
        ("blur", "silence"),
        ("show", "silence"),
        ("blur", "keep"),
    ]


def test_of_a_page_no_moderation_is_told(ledger: Ledger) -> None:
    begun(ledger)
    with ledger.writing() as tx:
        egress = tx.get_one(Egress, "e1")
        egress.spec = {**egress.spec, "page": {"url": "https://app.example.com"}}
    moderate(ledger, -5, "bert", video="blur")
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2))
    tell(ledger, EgressEnded(seq=3, at=at(20), egress_id="e1"))
    delivered(ledger, 1)
    due = take(ledger)
    assert due is not None and json.loads(due.text)["moderation"] == []


def test_a_failed_recording_has_a_manifest_when_its_last_file_is_delivered_or_lost(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2, 1))
    opened = PartOpened(seq=3, at=T0, egress_id="e1", part=2, path=Path("/spool/e1/2.mp4"), start_time=at(10))
    tell(ledger, opened)
    tell(ledger, EgressFailed(seq=4, at=T0, egress_id="e1", code="disk_full", error="no space is left"))
    assert row(ledger) is None
    delivered(ledger, 1)
    assert row(ledger) is None
    with ledger.writing() as tx:
        files.dropped(tx, tx.get_one(File, 2), "nothing in it can be played", T0)
    due = take(ledger)
    assert due is not None
    told = Manifest.model_validate_json(due.text)
    assert (told.state, told.error_code, [one.part for one in told.files]) == ("failed", "disk_full", [1])
    assert [(one.part, one.reason) for one in told.lost] == [(2, "nothing in it can be played")]


def test_what_left_no_file_has_no_manifest(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressFailed(seq=1, at=T0, egress_id="e1", code="x", error="y"))
    assert state(ledger) == "failed"
    assert row(ledger) is None


def test_a_manifest_is_due_anew_when_more_is_to_be_told(ledger: Ledger) -> None:
    recorded(ledger)
    first = take(ledger)
    assert first is not None
    # While it is sent, more of its last file is found on a host that had been gone.
    with ledger.writing() as tx:
        late = tx.get_one(File, 2)
        late.host, late.upload = "host", {"written_off_by": "other"}
        assert uploads.found_again(tx, 2, "host", 2000, 9.0, "x")
    with ledger.writing() as tx:
        files.delivered(tx, 2, "file:///2.mp4", 2000, T0)
    with ledger.writing() as tx:
        manifests.delivered(tx, first, "file:///m.json")
    second = take(ledger)
    assert second is not None
    assert (second.key, second.revision) == (first.key, first.revision + 1)
    assert [one["duration"] for one in json.loads(second.text)["files"]] == [10.0, 9.0]


def test_nobody_tries_what_another_one_tries_or_what_has_just_failed(ledger: Ledger) -> None:
    recorded(ledger)
    due = take(ledger)
    assert due is not None
    assert take(ledger) is None
    with ledger.writing() as tx:
        assert manifests.failing(tx, due, "the store is away", 0.0)
        assert not manifests.failing(tx, due, "the store is away", 60.0)
    assert take(ledger) is None
    found = row(ledger)
    assert found is not None and found.error == "the store is away"
    with ledger.writing() as tx:
        assert manifests.stores_waiting(tx, REACH) == {"local"}
        manifests.begin_anew(tx, "another")
    assert take(ledger) is None
    with ledger.writing() as tx:
        manifests.begin_anew(tx, "host")
    assert take(ledger) is not None


@pytest.mark.parametrize(
    ("store", "seen_ago", "taken"),
    [("s3", 1.0, False), ("s3", 121.0, True), ("s3", None, True), ("local", 121.0, False)],
    ids=["its worker lives", "its worker is gone", "its worker took its leave", "in a folder of its worker"],
)
def test_another_worker_delivers_what_a_worker_that_is_gone_left(
    ledger: Ledger, store: str, seen_ago: float | None, taken: bool
) -> None:
    recorded(ledger, store=store)
    with ledger.writing() as tx:
        if seen_ago is not None:
            hosts.beat(tx, "host", "h", "1", clock.now(tx) - timedelta(seconds=seen_ago))
    other = Reach("other", frozenset({"s3", "local"}), frozenset({"s3"}), 120.0)
    with ledger.reading() as tx:
        assert manifests.stores_waiting(tx, other) == ({store} if taken else set())
    assert (take(ledger, other, store) is not None) is taken
    assert (take(ledger, Reach("host", frozenset({store}), frozenset(), 120.0), store) is None) is taken


def test_none_are_kept_where_none_are_wanted(ledger: Ledger) -> None:
    recorded(ledger)
    with ledger.writing() as tx:
        manifests.forget(tx, Reach("host", frozenset({"s3"}), frozenset({"s3"}), 120.0))
    assert row(ledger) is not None
    with ledger.writing() as tx:
        manifests.forget(tx, REACH)
    assert row(ledger) is None
