"""Reports that are told until somebody has them, commands that never bring an attendant down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from egress.ipc import LINE_LIMIT, MAX_KEPT, CommandSocket, Reports
from egress.protocol.commands import Command, Leave, Start, Stop
from egress.protocol.reports import Attends, Pong, Progress, Warned

AT = datetime(2026, 1, 1, tzinfo=UTC)


def warned(text: str) -> Warned:
    return Warned(at=AT, code="test", message=text)


def progress() -> Progress:
    return Progress(at=AT, egress_id="e", recorded=1, size=1, participants=1, pictures=1, pictures_dropped=0)


def numbers(told: list[Any]) -> list[int]:
    return [report.seq for report in told]


def test_reports_are_numbered_from_one_and_passing_ones_are_not():
    reports, told = Reports(), []
    reports.listen(told.append, 0)
    for report in (warned("a"), progress(), Pong(at=AT), warned("b")):
        reports.tell(report)
    assert numbers(told) == [1, 0, 0, 2]


def test_who_comes_later_is_told_what_is_kept_beyond_what_they_have():
    reports, late, again = Reports(), [], []
    for n in range(5):
        reports.tell(warned(str(n)))
        reports.tell(progress())
    reports.listen(late.append, 0)
    reports.listen(again.append, 3)
    assert numbers(late) == [1, 2, 3, 4, 5]
    assert numbers(again) == [4, 5]


def test_what_is_acknowledged_is_forgotten_and_nothing_else():
    reports, told = Reports(), []
    for n in range(5):
        reports.tell(warned(str(n)))
    reports.acknowledge(3)
    reports.acknowledge(1)
    reports.listen(told.append, 0)
    assert numbers(told) == [4, 5]


def test_a_listener_that_ended_hears_no_more():
    reports, told = Reports(), []
    end = reports.listen(told.append, 0)
    reports.tell(warned("a"))
    end()
    end()
    reports.tell(warned("b"))
    assert numbers(told) == [1]


def test_what_is_kept_is_bounded():
    reports, told = Reports(), []
    for _ in range(MAX_KEPT + 7):
        reports.tell(warned("x"))
    reports.listen(told.append, 0)
    assert (len(told), told[0].seq) == (MAX_KEPT, 8)


async def test_waiting_for_the_last_acknowledgement_ends_with_it():
    reports = Reports()
    await asyncio.wait_for(reports.acknowledged(), 1)
    reports.tell(warned("a"))
    waiting = asyncio.create_task(reports.acknowledged())
    await asyncio.sleep(0)
    reports.acknowledge(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    reports.acknowledge(1)
    await asyncio.wait_for(waiting, 1)


class Agent:
    """The other end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def at(cls, path: Path) -> Agent:
        return cls(*await asyncio.open_unix_connection(str(path)))

    def say(self, **command: Any) -> None:
        self.writer.write(json.dumps(command).encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), 5)
        heard: dict[str, Any] = json.loads(line)
        return heard

    def close(self) -> None:
        self.writer.close()


class Served:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: list[Command] = []
        self.reports = Reports()
        self.socket = CommandSocket(path, self.reports, self.commands.append)


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(tmp_path / "s")
    await made.socket.open()
    yield made
    await made.socket.close()


async def test_only_its_owner_may_open_the_socket_and_it_goes_with_the_process(tmp_path: Path):
    made = Served(tmp_path / "s")
    made.path.write_text("left over")
    await made.socket.open()
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    await made.socket.close()
    assert not made.path.exists()


async def test_an_agent_that_comes_again_is_told_what_it_had_not_acknowledged(served: Served):
    for text in "abc":
        served.reports.tell(warned(text))
    first = await Agent.at(served.path)
    first.say(op="hello")
    assert [(await first.hear())["seq"] for _ in range(3)] == [1, 2, 3]
    first.say(op="ack", seq=2)
    first.say(op="ping")
    assert (await first.hear())["report"] == "pong"
    first.close()
    served.reports.tell(warned("d"))
    second = await Agent.at(served.path)
    second.say(op="hello", after=0)
    assert [(await second.hear())["message"] for _ in range(2)] == ["c", "d"]
    second.close()


async def test_an_attendant_with_a_job_says_first_whose_it_is(tmp_path: Path):
    attends = Attends(at=AT, session_id="s", epoch=3, pid=7)
    reports, commands = Reports(), []
    socket = CommandSocket(tmp_path / "s", reports, commands.append, lambda: attends)
    await socket.open()
    reports.tell(warned("a"))
    agent = await Agent.at(tmp_path / "s")
    agent.say(op="hello")
    first, second = await agent.hear(), await agent.hear()
    assert (first["report"], first["session_id"], first["epoch"], first["seq"]) == ("attends", "s", 3, 0)
    assert (second["report"], second["seq"]) == ("warned", 1)
    agent.close()
    await socket.close()


async def test_a_command_of_a_newer_agent_is_understood_without_what_is_new(served: Served):
    agent = await Agent.at(served.path)
    agent.say(op="leave", epoch=2, politely=True)
    agent.say(op="ping")
    await agent.hear()
    assert served.commands == [Leave(epoch=2)]
    agent.close()


async def test_a_second_hello_on_a_connection_does_not_tell_everything_twice_from_then_on(served: Served):
    agent = await Agent.at(served.path)
    agent.say(op="hello")
    agent.say(op="hello")
    agent.say(op="ping")
    await agent.hear()
    served.reports.tell(warned("a"))
    agent.say(op="ping")
    assert [(await agent.hear())["report"] for _ in range(2)] == ["warned", "pong"]
    agent.close()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b'{"op": "dance"}\n',
        b'{"op": "stop"}\n',
        b'{"op": "stop", "epoch": "x", "egress_id": "e"}\n',
        b'{"op": "start", "epoch": 1, "egress": {"egress_id": "../up"}}\n',
        b'{"op": "ack", "seq": 1, "more": 2}\n',
        b"\xff\xfe\x00\n",
        b'{"op": ' * 5000 + b"\n",
    ],
)
async def test_a_line_that_is_not_understood_leaves_the_connection_open(served: Served, line: bytes):
    agent = await Agent.at(served.path)
    agent.writer.write(line)
    agent.say(op="ping")
    assert (await agent.hear())["report"] == "pong"
    assert served.commands == []
    agent.close()


async def test_a_line_without_end_costs_its_connection_and_no_other(served: Served):
    flood, other = await Agent.at(served.path), await Agent.at(served.path)
    flood.writer.write(b"x" * (LINE_LIMIT + (1 << 17)))
    with contextlib.suppress(ConnectionError):  # what the other side had not read is reset
        assert await asyncio.wait_for(flood.reader.read(), 5) == b""
    other.say(op="ping")
    assert (await other.hear())["report"] == "pong"
    flood.close()
    other.close()


async def test_commands_come_in_their_order_and_typed(served: Served):
    agent = await Agent.at(served.path)
    agent.say(op="start", epoch=1, egress={"egress_id": "e1"})
    agent.say(op="stop", epoch=1, egress_id="e1")
    agent.say(op="leave", epoch=1)
    agent.say(op="ping")
    await agent.hear()
    assert [type(c) for c in served.commands] == [Start, Stop, Leave]
    agent.close()


async def test_a_command_that_fails_is_logged_and_the_connection_goes_on(
    served: Served, caplog: pytest.LogCaptureFixture
):
    def fails(command: Command) -> None:
        raise RuntimeError("cannot do that")

    served.socket._on_command = fails
    agent = await Agent.at(served.path)
    agent.say(op="leave", epoch=1)
    agent.say(op="ping")
    assert (await agent.hear())["report"] == "pong"
    assert "cannot do that" in caplog.text
    agent.close()


async def test_every_word_of_an_agent_counts_as_one(served: Served):
    served.socket.last_word = 0.0
    agent = await Agent.at(served.path)
    agent.say(op="ping")
    await agent.hear()
    assert served.socket.last_word > 0
    agent.close()
