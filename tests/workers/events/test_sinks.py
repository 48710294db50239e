"""Sinks of JSON lines, the sinks that settings name, and the pure rule of when a sink counts as down."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.workers.events.conftest import until
from workers.events.breaker import Breaker
from workers.events.sinks import Envelope, FileSink, NotTaken, StreamSink
from workers.events.sinks.configured import sink_names, sinks
from workers.settings import Settings, SettingsError, load


def envelope(number: int) -> Envelope:
    return Envelope(f"id-{number}", "a:1", number, {"type": "call.test", "call_cid": "a:1", "name": "Zoë"})


async def test_lines_are_the_payload_with_the_id_of_the_event(tmp_path: Path) -> None:
    stream = io.StringIO()
    path = tmp_path / "deep/er/events.jsonl"
    for sink in (FileSink(path), StreamSink(stream)):
        for number in range(3):
            await sink.send(envelope(number), 0)
    assert path.read_text() == stream.getvalue()
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert told == [{**envelope(n).payload, "event_id": f"id-{n}"} for n in range(3)]


async def test_a_line_that_a_dead_writer_left_half_written_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    await FileSink(path).send(envelope(1), 0)
    with path.open("a") as file:
        file.write('{"type":"call.te' + "x" * 200_000)
    await FileSink(path).send(envelope(2), 0)
    assert [json.loads(line)["event_id"] for line in path.read_text().splitlines()] == ["id-1", "id-2"]
    torn = tmp_path / "torn.jsonl"
    torn.write_text('{"type":')
    await FileSink(torn).send(envelope(3), 0)
    assert [json.loads(line)["event_id"] for line in torn.read_text().splitlines()] == ["id-3"]


async def test_a_file_that_cannot_be_written_is_a_reason_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="cannot be written"):
        await FileSink(tmp_path).send(envelope(1), 0)
    closed = io.StringIO()
    closed.close()
    with pytest.raises(NotTaken, match="cannot be written"):
        await StreamSink(closed).send(envelope(1), 0)


def hook(**fields: Any) -> dict[str, Any]:
    return {"url": "https://hooks.example/a", "secret": "s", **fields}


def settings(folder: Path, *hooks: dict[str, Any], **sections: Any) -> Settings:
    return load(data_dir=folder, events={"webhooks": list(hooks), **sections.pop("events", {})}, **sections)


async def test_the_sinks_are_those_of_the_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = settings(tmp_path, hook(name="main"), hook(url="http://plain.example/token"))
    with caplog.at_level(logging.WARNING):
        made = sinks(found)
    assert [sink.name for sink in made] == sink_names(found)
    assert [sink.name for sink in made][:3] == [f"file:{tmp_path}/events.jsonl", "stdout", "webhook:main"]
    assert made[3].name.startswith("webhook:plain.example:")
    assert "http://plain.example:80 is told events in clear text" in caplog.text
    assert "token" not in caplog.text
    for sink in made:
        await sink.close()
    silent = settings(tmp_path, events={"write_file": False, "stdout": False})
    assert sinks(silent) == []


@pytest.mark.parametrize(
    ("hooks", "guard", "problem"),
    [
        ([hook(url="ftp://hooks.example/s3cret")], {}, r"events\.webhooks\.0\.url: a URL of the scheme 'ftp'"),
        ([hook(), hook(url="no url s3cret")], {}, r"events\.webhooks\.1\.url: a URL holds no blanks"),
        ([hook(url="http://plain.example")], {"schemes": ["https"]}, "scheme 'http' is not allowed"),
        ([hook(), hook()], {}, "same url and no names"),
        ([hook(name="a"), hook(url="https://other.example", name="a")], {}, "same name"),
        ([hook(secret="")], {}, "an empty secret signs nothing"),
        ([hook(api_key="two\nlines")], {}, "api_key"),
        ([], {"allow_private": ["inside"]}, "'inside' is no network such as 10.0.0.0/8"),
    ],
)
def test_hooks_that_cannot_be_are_refused_at_the_start(
    tmp_path: Path, hooks: list[dict[str, Any]], guard: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        sinks(settings(tmp_path, *hooks, guard=guard))
    assert "s3cret" not in str(caught.value)


def test_a_sink_counts_as_down_when_three_calls_fail_in_a_row() -> None:
    breaker = Breaker(first=1.0, longest=4.0)
    assert not breaker.failed("a", 10.0)
    assert not breaker.failed("a", 11.0)  # one call alone may be the reason
    assert not breaker.failed("b", 12.0)
    assert not breaker.answered() and breaker.down_since is None
    assert [breaker.failed(call, 20.0) for call in "abc"] == [False, False, True]
    assert (breaker.open, breaker.due, breaker.down_since) == (True, 21.0, 20.0)
    pauses = []
    for _ in range(4):
        assert not breaker.failed("a", 30.0)
        pauses.append(breaker.due - 30.0)
    assert pauses == [2.0, 4.0, 4.0, 4.0]
    breaker.failed("a", 30.0, retry_after=50.0)
    assert breaker.due == 80.0
    assert breaker.answered()
    assert not breaker.open and breaker.down_since is None


async def test_a_worker_tells_its_hooks(bench: Any) -> None:
    from tests.rig.servers.hooks import HookReceiver

    async with HookReceiver() as receiver:
        one = await bench(
            events={"webhooks": [{"url": receiver.url, "secret": receiver.secret, "api_key": "k"}]},
            guard={"allow_private": ["127.0.0.0/8"]},
        )
        egress_id = one.record(recording={"mode": "available", "quality": "360p"})
        await one.until_recorded(egress_id, 0.5)
        one.send("stop_recording")
        await until(lambda: len(receiver.events) == 3, 20)
        assert [event["type"].rpartition("_")[2] for event in receiver.events] == ["started", "stopped", "ready"]
        assert all(request.verified and request.attempt == 1 for request in receiver.requests)
        assert receiver.events == one.events()
        await until(lambda: len(one.sent()) == 3)
        assert [line["event_id"] for line in one.sent()] == [request.id for request in receiver.requests]
