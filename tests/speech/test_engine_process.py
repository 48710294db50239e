"""One engine process for a host: shared, watched, restarted; whatever dies, every segment is answered once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egress.speech.client import EngineClient
from egress.speech.contract import EngineSettings, Segment, SpeechError, Utterance
from egress.speech.supervisor import EngineState, EngineSupervisor
from egress.speech.wire import message, receive

Start = Callable[..., Awaitable[EngineSupervisor]]


def segment(number: int, tenths: int = 3, speaker: str = "ann", start: float | None = None) -> Segment:
    sound = np.full(16_000, tenths / 10, np.float32)
    at = float(number * 3) if start is None else start
    return Segment(number, speaker, at, at + 1, at, sound, 1.0, language="en")


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts an engine with a script."""
    begun: list[EngineSupervisor] = []

    async def begin(
        script: dict[str, Any] | None = None, *, hangs: float = 60.0, wait: bool = True, **more: Any
    ) -> EngineSupervisor:
        path = tmp_path / "script.json"
        path.write_text(json.dumps({"default": {"text": "well"}, **(script or {})}))
        settings = EngineSettings(engine="scripted", model=str(path), **more)
        made = EngineSupervisor(settings, tmp_path / "engine", hangs=hangs)
        begun.append(made)
        if wait:
            await made.ensure(30)
        return made

    yield begin
    pids = [made.pid for made in begun if made.pid is not None]
    for made in begun:
        await made.close()
    for pid in pids:
        await gone(pid)


async def until(true: Callable[[], object], timeout: float = 20.0) -> None:
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)


async def gone(pid: int) -> None:
    await until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Client:
    def __init__(self, supervisor: EngineSupervisor, **more: Any) -> None:
        self.said: list[Utterance] = []
        self.client = EngineClient(supervisor.socket, self.said.append, **more)

    async def __aenter__(self) -> Client:
        self.client.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def all(self, timeout: float = 20) -> list[Utterance]:
        assert await self.client.answered(timeout), f"{self.client.waiting} wait"
        return self.said

    @property
    def ids(self) -> list[int]:
        return sorted(key for utterance in self.said for key in utterance.segments)


async def test_the_segments_of_two_calls_are_answered_to_whom_asked(start: Start):
    supervisor = await start({"texts": {"2": {"text": "two"}, "5": {"text": "five"}}})
    async with Client(supervisor) as one, Client(supervisor) as other:
        for number in range(4):
            one.client.submit(segment(number, 2, f"s{number}"))
            other.client.submit(segment(number, 5, f"s{number}"))
        assert [u.text for u in await one.all()] == ["two"] * 4
        assert [u.text for u in await other.all()] == ["five"] * 4
        assert one.ids == other.ids == [0, 1, 2, 3]
        assert one.client.hello is not None
        assert one.client.hello["engine"] == "scripted"


async def test_an_engine_that_is_killed_in_mid_work_loses_nothing(start: Start):
    supervisor = await start({"seconds": 0.1})
    async with Client(supervisor) as one:
        for number in range(20):
            one.client.submit(segment(number, speaker=f"s{number}"))
        await until(lambda: len(one.said) >= 3)
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        for number in range(20, 25):
            one.client.submit(segment(number, speaker=f"s{number}"))
        await one.all()
        assert one.ids == list(range(25))
        assert all(u.text == "well" for u in one.said)
        assert supervisor.starts == 2


async def test_a_segment_that_kills_engines_is_given_up_and_costs_no_other(start: Start):
    supervisor = await start({"texts": {"9": {"text": "poison"}}, "die_on": "poison"})
    async with Client(supervisor) as one:
        for number in range(6):
            one.client.submit(segment(number, 9 if number == 2 else 3, f"s{number}"))
        await one.all(60)
        assert one.ids == list(range(6))
        [failed] = [u for u in one.said if u.failure is not None]
        assert failed.segments == (2,)
        assert failed.failure is not None
        assert failed.failure.code == "engine_died"


async def test_an_engine_that_hangs_is_killed_and_the_segment_tried_again(start: Start, tmp_path: Path):
    supervisor = await start({"texts": {"9": {"text": "slow"}}, "hang_on": "slow"}, hangs=1.0)
    async with Client(supervisor) as one:
        one.client.submit(segment(1, 9))
        await until(lambda: supervisor.starts >= 2)
        (tmp_path / "script.json").write_text('{"default": {"text": "fast"}}')
        told = await one.all(60)
        assert [u.segments for u in told] == [(1,)]
        assert told[0].text == "fast"


async def test_an_engine_that_fails_on_a_batch_goes_on_with_the_next(start: Start):
    supervisor = await start({"texts": {"9": {"text": "bad"}}, "fail_on": "bad"})
    async with Client(supervisor) as one:
        one.client.submit(segment(1, 9))
        await one.all()
        one.client.submit(segment(2))
        told = await one.all()
        assert told[0].failure is not None
        assert told[0].failure.code == "engine_failed"
        assert told[1].text == "well"
        assert supervisor.starts == 1


async def test_more_than_can_be_followed_is_merged_and_the_queue_stays_bounded(start: Start):
    supervisor = await start({"seconds": 0.05}, max_waiting=8, max_batch=1)
    async with Client(supervisor) as one:
        for number in range(60):
            one.client.submit(segment(number, speaker=f"s{number % 2}", start=number * 0.6 + (number % 2) * 0.1))
        told = await one.all()
        assert one.ids == list(range(60))
        assert all(u.failure is None for u in told)
        merged = [u for u in told if len(u.segments) > 1]
        assert merged
        assert len(told) < 40
        for utterance in merged:
            first, last = utterance.segments[0], utterance.segments[-1]
            assert utterance.start == pytest.approx(first * 0.6 + (first % 2) * 0.1)
            assert utterance.end == pytest.approx(last * 0.6 + (last % 2) * 0.1 + 1)
            assert {key % 2 for key in utterance.segments} == {int(utterance.speaker[1])}


async def test_what_cannot_be_merged_is_given_up_with_a_sentence(start: Start):
    supervisor = await start({"seconds": 0.3}, max_waiting=4, max_batch=1)
    async with Client(supervisor) as one:
        for number in range(12):
            one.client.submit(segment(number, speaker=f"s{number}"))
        told = await one.all()
        assert one.ids == list(range(12))
        codes = {u.failure.code for u in told if u.failure is not None}
        assert codes == {"queue_full"}
        assert 4 <= sum(u.failure is None for u in told) <= 6


async def test_what_waits_too_long_is_given_up(start: Start):
    supervisor = await start({"seconds": 1.5}, deadline=1.0, max_batch=1)
    async with Client(supervisor) as one:
        for number in range(6):
            one.client.submit(segment(number, speaker=f"s{number}"))
        told = await one.all()
        assert one.ids == list(range(6))
        assert {u.failure.code for u in told if u.failure is not None} == {"too_late"}


async def test_without_an_engine_segments_are_kept_bounded_and_then_given_up(tmp_path: Path):
    said: list[Utterance] = []
    client = EngineClient(tmp_path / "none.sock", said.append, most_sound=5.0, patience=0.5)
    client.start()
    for number in range(8):
        client.submit(segment(number))
    assert client.waiting == 5
    assert [u.segments for u in said] == [(0,), (1,), (2,)]
    assert await client.answered(10)
    await client.close()
    assert [u.failure.code for u in said if u.failure] == ["queue_full"] * 3 + ["engine_away"] * 5


async def test_an_engine_that_cannot_be_loaded_says_why(start: Start, tmp_path: Path):
    supervisor = await start(wait=False)
    (tmp_path / "script.json").unlink()
    with pytest.raises(SpeechError, match=r"the script .* cannot be read") as caught:
        await supervisor.ensure(30)
    assert caught.value.code == "model_missing"
    assert supervisor.state is EngineState.FAILED
    (tmp_path / "script.json").write_text('{"default": {"text": "late"}}')
    await until(lambda: supervisor.state is EngineState.READY)


async def test_the_socket_is_for_its_owner_alone(start: Start, tmp_path: Path):
    supervisor = await start()
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(supervisor.socket.stat().st_mode) == 0o600


async def test_a_folder_that_others_may_enter_is_refused(start: Start, tmp_path: Path):
    (tmp_path / "engine").mkdir(mode=0o755)
    supervisor = await start(wait=False)
    with pytest.raises(SpeechError, match="may be entered by others; make it ours with mode 0700"):
        await supervisor.ensure(30)


async def test_the_engine_outlives_its_worker_and_the_next_one_finds_it(start: Start):
    first = await start({"seconds": 0.1})
    async with Client(first) as one:
        one.client.submit(segment(1))
        await one.all()
        pid = first.pid
        await first.close()
        one.client.submit(segment(2))
        await one.all()
        second = await start({"seconds": 0.1})
        assert second.pid == pid
        assert second.starts == 0
        one.client.submit(segment(3))
        await one.all()
        assert one.ids == [1, 2, 3]


async def test_the_engine_of_other_settings_is_replaced(start: Start):
    first = await start()
    async with Client(first) as one:
        await first.close()
        second = await start(max_batch=3)
        assert second.pid != first.pid
        one.client.submit(segment(1))
        await one.all()


async def test_the_engine_ends_when_nobody_needs_it(start: Start):
    supervisor = await start()
    pid = supervisor.pid
    assert pid is not None
    await supervisor.close()
    await gone(pid)
    assert not supervisor.socket.exists()


async def test_nonsense_on_the_socket_costs_one_connection(start: Start):
    supervisor = await start()
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n" * 10, message({"op": "dance"}), message({"op": "transcribe", "id": 1})):
        reader, writer = await asyncio.open_unix_connection(str(supervisor.socket))
        await receive(reader)
        writer.write(nonsense)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
    async with Client(supervisor) as one:
        one.client.submit(segment(1))
        await one.all()
    assert supervisor.starts == 1
