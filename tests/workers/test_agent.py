"""The agent with fake attendants: what runs is what the ledger wants, and what is told is what happened."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest
from sqlalchemy import select

from tests.workers.conftest import CALL, MakeBench, until
from workers.ledger.tables import CallSession

BASE = {"type", "created_at", "call_cid", "egress_id", "recording_type", "event_id"}


def seconds(path: str) -> float:
    with av.open(path) as container:
        return max(float((p.pts + p.duration) * p.time_base) for p in container.demux() if p.pts is not None)


async def test_a_message_becomes_a_stored_file_and_its_events(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record(recording={"mode": "available", "quality": "360p"})
    await b.until_recorded(egress_id, 1.0)
    assert b.egress(egress_id).state == "active"
    b.send("stop_recording")
    egress = await b.until_state(egress_id, "complete")
    assert egress.started_at and egress.stopped_at and egress.ended_at
    await until(lambda: len(b.sent()) == 3)

    started, stopped, ready = b.sent()
    assert [e["type"] for e in (started, stopped, ready)] == [
        "call.recording_started",
        "call.recording_stopped",
        "call.recording_ready",
    ]
    assert set(started) == set(stopped) == BASE
    assert set(ready) == BASE | {"call_recording"}
    for event in (started, stopped, ready):
        assert event["call_cid"] == CALL
        assert event["egress_id"] == egress_id
        assert event["recording_type"] == "composite"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["created_at"])
    recording = ready["call_recording"]
    assert set(recording) == {"end_time", "filename", "recording_type", "session_id", "start_time", "url"}
    assert recording["session_id"] == egress.session_id
    path = urlsplit(recording["url"]).path
    assert Path(path).name == recording["filename"]
    assert Path(path).is_relative_to(b.settings.recordings / "default" / "tests" / egress.session_id)
    lasted = datetime.fromisoformat(recording["end_time"]) - datetime.fromisoformat(recording["start_time"])
    assert seconds(path) == pytest.approx(lasted.total_seconds(), abs=0.3)
    assert list(b.settings.spools.rglob("*.mp4")) == []


async def test_the_call_is_left_when_nothing_is_recorded_any_more(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_state(egress_id, "active")
    pid = b.attendant_pid()
    b.send("stop_recording")
    await b.until_state(egress_id, "complete")
    await until(lambda: b.session().ended_at is not None)
    assert b.session().attendant_socket is None and b.session().owner is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_who_is_put_out_by_an_administrator_does_not_come_back(bench: MakeBench) -> None:
    b = await bench("removed")
    egress_id = b.record()
    egress = await b.until_state(egress_id, "complete")
    assert (egress.stop_reason, egress.error, egress.restarts) == ("removed by an administrator", None, 0)
    await until(lambda: b.session().attendant_socket is None)
    # Longer than the next attendant would take to come.
    await asyncio.sleep(1.5)
    assert b.session().attendant_socket is None
    assert [e["type"] for e in b.events()] == [
        "call.recording_started",
        "call.recording_stopped",
        "call.recording_ready",
    ]


async def test_a_warm_spare_is_used_and_replaced(bench: MakeBench) -> None:
    b = await bench()
    await until(lambda: len(list(b.settings.sockets.glob("*.sock"))) == 1)
    spare = next(b.settings.sockets.glob("*.sock"))
    await asyncio.sleep(0.5)
    egress_id = b.record()
    await b.until_state(egress_id, "active")
    assert b.session().attendant_socket == str(spare)
    await until(lambda: len(list(b.settings.sockets.glob("*.sock"))) == 2)


async def test_two_recordings_of_a_call_share_one_attendant(bench: MakeBench) -> None:
    b = await bench()
    first = b.record(egress_id="first")
    await b.until_state(first, "active")
    second = b.add_egress(first, "second")
    await b.until_state(second, "active")
    assert b.egress(first).session_id == b.egress(second).session_id
    b.send("stop_recording", egress_id="first")
    await b.until_state(first, "complete")
    assert b.egress(second).state == "active"
    b.send("stop_recording")
    await b.until_state(second, "complete")


async def test_an_attendant_killed_is_replaced_within_three_seconds_and_its_part_is_saved(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_recorded(egress_id, 2.0)
    killed = datetime.now(UTC)
    os.kill(b.attendant_pid(), signal.SIGKILL)
    await until(lambda: len(b.files(egress_id)) == 2, 3.0)
    again = b.files(egress_id)[1]
    assert again.part == 2
    assert (again.start_time - killed).total_seconds() < 3.0
    await until(lambda: b.files(egress_id)[0].state == "delivered")
    await b.until_recorded(egress_id, 1.0)
    b.send("stop_recording")
    egress = await b.until_state(egress_id, "complete")
    assert egress.restarts == 1

    first, second = b.files(egress_id)
    assert first.salvaged and not second.salvaged
    assert first.url is not None and first.duration is not None and first.end_time is not None
    assert first.duration == pytest.approx((killed - first.start_time).total_seconds(), abs=1.2)
    assert (first.end_time - first.start_time).total_seconds() == pytest.approx(first.duration, abs=0.001)
    assert seconds(urlsplit(first.url).path) == pytest.approx(first.duration, abs=0.05)
    types = [e["type"].removeprefix("call.recording_") for e in b.events()]
    assert types == ["started", "ready", "stopped", "ready"]


async def test_a_file_that_was_never_told_of_is_saved_too(bench: MakeBench) -> None:
    b = await bench("untold", attendants={"restarts": 0})
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.5)
    os.kill(b.attendant_pid(), signal.SIGKILL)
    await b.until_state(egress_id, "failed")
    await until(lambda: [f.state for f in b.files(egress_id)] == ["delivered"])
    assert b.files(egress_id)[0].salvaged


async def test_a_stop_while_the_attendant_dies_still_ends_well(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.5)
    os.kill(b.attendant_pid(), signal.SIGKILL)
    b.send("stop_recording")
    await b.until_state(egress_id, "complete")
    assert all(f.state == "delivered" for f in b.files(egress_id))
    types = [e["type"].removeprefix("call.recording_") for e in b.events()]
    assert types[0] == "started" and types.count("stopped") == 1 and types.count("failed") == 0


@pytest.mark.parametrize("after", [0.2, 0.6])
async def test_a_stop_that_comes_while_the_next_attendant_is_on_its_way_ends_well(
    bench: MakeBench, after: float
) -> None:
    # Given an attendant that died while none was there to take its place
    b = await bench(attendants={"spares": 0})
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.5)
    os.kill(b.attendant_pid(), signal.SIGKILL)
    await asyncio.sleep(after)
    # When its recording is stopped
    b.send("stop_recording")
    # Then nobody goes on with it, and what there is is delivered
    await until(lambda: b.egress(egress_id).state == "complete", 15.0)
    await until(lambda: b.session().attendant_pid is None, 15.0)
    assert [event["type"] for event in b.events()].count("call.recording_stopped") == 1


async def test_crashing_again_and_again_fails_with_a_reason_and_keeps_the_parts(bench: MakeBench) -> None:
    b = await bench("crashes", attendants={"restarts": 2})
    egress_id = b.record()
    egress = await b.until_state(egress_id, "failed")
    assert egress.error_code == "attendant_crashed"
    assert egress.error == "the attendant died (exit code -9), 3 times in a row"
    await until(lambda: [f.state for f in b.files(egress_id)] == ["delivered"] * 3)
    assert [f.part for f in b.files(egress_id)] == [1, 2, 3]
    failed = [e for e in b.events() if e["type"] == "call.recording_failed"]
    assert len(failed) == 1
    assert set(failed[0]) == BASE - {"event_id"} | {"error", "error_code"}  # it gets its id when it is sent
    await until(lambda: b.session().ended_at is not None)


async def test_attendants_that_never_come_up_fail_the_recording(bench: MakeBench) -> None:
    b = await bench("dies_at_once", attendants={"restarts": 1, "spares": 0})
    egress = await b.until_state(b.record(), "failed")
    assert egress.error == "the attendant could not be started, 2 times in a row"
    # And the worker lives: another call is tried.
    other = b.send("start_recording", call_cid="default:other").egress_ids[0]
    await b.until_state(other, "failed")


async def test_a_stuck_attendant_is_killed_and_replaced(bench: MakeBench) -> None:
    b = await bench("hangs", attendants={"silence": 0.6, "ping_interval": 0.2, "restarts": 1})
    egress = await b.until_state(b.record(), "failed", timeout=20)
    assert egress.error_code == "attendant_crashed"


async def test_a_room_that_does_not_exist_fails_with_the_attendants_words(bench: MakeBench) -> None:
    b = await bench("no_room")
    egress = await b.until_state(b.record(), "failed")
    assert (egress.error_code, egress.error) == ("no_such_room", "the room does not exist")
    assert [e["type"] for e in b.events()] == ["call.recording_failed"]


async def test_an_egress_that_fails_is_told_with_its_reason(bench: MakeBench) -> None:
    b = await bench("fails")
    egress = await b.until_state(b.record(), "failed")
    assert (egress.error_code, egress.error) == ("encoder_failed", "x264 is gone")


async def test_stopping_before_anything_was_recorded_aborts(bench: MakeBench) -> None:
    b = await bench("silent_room")
    egress_id = b.record()
    await b.until_state(egress_id, "starting")
    await asyncio.sleep(0.3)
    b.send("stop_recording")
    egress = await b.until_state(egress_id, "aborted")
    assert egress.error_code == "nothing_recorded"
    assert [e["type"] for e in b.events()] == ["call.recording_failed"]


async def test_a_recording_rolls_over_into_parts_that_are_delivered_at_once(bench: MakeBench) -> None:
    b = await bench(recording={"roll_over_seconds": 1.0})
    egress_id = b.record()
    await until(lambda: [f.state for f in b.files(egress_id)][:2] == ["delivered"] * 2)
    assert b.egress(egress_id).state == "active"
    b.send("stop_recording")
    await b.until_state(egress_id, "complete")
    parts = b.files(egress_id)
    assert [f.part for f in parts] == list(range(1, len(parts) + 1))
    types = [e["type"].removeprefix("call.recording_") for e in b.events()]
    assert types.count("ready") == len(parts)


async def test_an_agent_that_died_adopts_its_attendants_again(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.0)
    pid = b.attendant_pid()
    await b.drop()
    os.kill(pid, 0)  # the attendant outlived its agent
    b.send("stop_recording")
    await b.start()
    await b.until_state(egress_id, "complete")
    assert [f.state for f in b.files(egress_id)] == ["delivered"]
    types = [e["type"].removeprefix("call.recording_") for e in b.events()]
    assert types == ["started", "stopped", "ready"]


async def test_reports_made_while_no_agent_was_there_are_not_lost(bench: MakeBench) -> None:
    b = await bench(recording={"roll_over_seconds": 1.0})
    egress_id = b.record()
    await b.until_state(egress_id, "active")
    await b.drop()
    await asyncio.sleep(2.5)
    await b.start()
    await until(lambda: len([f for f in b.files(egress_id) if f.state == "delivered"]) >= 2)
    assert b.egress(egress_id).restarts == 0


async def test_an_attendant_that_died_with_its_agent_is_noticed_and_replaced(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.5)
    pid = b.attendant_pid()
    await b.drop()
    os.kill(pid, signal.SIGKILL)
    await b.start()
    await until(lambda: len(b.files(egress_id)) == 2)
    await until(lambda: b.files(egress_id)[0].state == "delivered")
    assert b.files(egress_id)[0].salvaged


async def test_a_worker_told_to_end_finishes_and_delivers_first(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_recorded(egress_id, 1.0)
    await b.end()
    assert b.egress(egress_id).state == "complete"
    assert [e["type"] for e in b.sent()][-1] == "call.recording_ready"
    assert list(b.settings.sockets.glob("*.sock")) == []


async def test_a_recording_that_does_not_fit_the_spool_is_refused_with_figures(bench: MakeBench) -> None:
    b = await bench(spool={"reserve_hours": 1e9, "min_free": 0})
    egress = await b.until_state(b.record(), "failed")
    assert egress.error_code == "spool_full"
    assert egress.error is not None
    assert re.search(r"may need \d+ MB, but of \d+ MB free", egress.error)


async def test_calls_beyond_the_limit_wait_for_a_place(bench: MakeBench) -> None:
    b = await bench(attendants={"max": 1})
    first = b.record()
    await b.until_state(first, "active")
    second = b.send("start_recording", call_cid="default:second").egress_ids[0]
    await asyncio.sleep(0.5)
    assert b.egress(second).state == "pending"
    b.send("stop_recording")
    await b.until_state(first, "complete")
    await b.until_state(second, "active")


async def test_a_second_worker_on_the_same_folders_is_refused(bench: MakeBench) -> None:
    from workers.worker import AlreadyRunning, Worker

    b = await bench()
    await until(lambda: (b.settings.runs / "worker.lock").exists())
    await asyncio.sleep(0.2)
    with pytest.raises(AlreadyRunning, match="another worker"):
        await Worker(b.settings).run()


async def test_a_call_recorded_twice_in_a_row_has_two_sessions(bench: MakeBench) -> None:
    b = await bench()
    first = b.record()
    await b.until_state(first, "active")
    b.send("stop_recording")
    await b.until_state(first, "complete")
    await until(lambda: b.session().ended_at is not None)
    second = b.record()
    await b.until_state(second, "active")
    with b.ledger.reading() as tx:
        assert len(tx.scalars(select(CallSession)).all()) == 2
