"""Telling a room: the newest state to all and to who comes later, captions while they are new, failures in no way."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from egress import telling
from egress.call.connector import ROOM_GONE, ConnectorError
from egress.telling import MOST_CAPTIONS, MOST_NEWCOMERS, RoomState, Telling

RECORDING = RoomState(recording=True)


@dataclass
class Room:
    """A room that hears, or does not. ``heard``: what, on which topic, who."""

    heard: list[tuple[dict[str, Any], str, tuple[str, ...]]] = field(default_factory=list)
    error: Exception | None = None
    tries: list[float] = field(default_factory=list)
    held: asyncio.Event | None = None
    closed: bool = False

    async def tell(self, message: bytes, topic: str, to: Sequence[str] = ()) -> None:
        self.tries.append(time.monotonic())
        if self.held is not None:
            await self.held.wait()
        if self.error is not None:
            raise self.error
        self.heard.append((json.loads(message), topic, tuple(to)))

    async def close(self) -> None:
        self.closed = True

    def states(self) -> list[bool]:
        return [said["recording"] for said, _, to in self.heard if said["type"] == "egress_state" and not to]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "NEWCOMER", (0.1, 0.3))
    monkeypatch.setattr(telling, "PAUSES", (0.05, 0.1))
    monkeypatch.setattr(telling, "FAREWELL", 0.3)


@pytest.fixture
async def told() -> AsyncIterator[Callable[[Room], Telling]]:
    made: list[Telling] = []

    def begin(room: Room) -> Telling:
        made.append(Telling("default:abc", room, "news"))
        return made[-1]

    yield begin
    for one in made:
        await one.close(silently=True)


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        await asyncio.sleep(0.01)


Begin = Callable[[Room], Telling]


async def test_everybody_is_told_when_the_state_changes_and_only_then(told: Begin):
    room = Room()
    one = told(room)
    one.state(RoomState())
    await asyncio.sleep(0.1)
    assert room.heard == []
    one.state(RECORDING)
    one.state(RECORDING)
    await until(lambda: room.heard)
    one.state(RECORDING)
    one.state(RoomState())
    await until(lambda: len(room.heard) == 2)
    await asyncio.sleep(0.1)
    state = {"type": "egress_state", "call_cid": "default:abc", "broadcasting": False, "transcribing": False}
    assert room.heard == [({**state, "recording": True}, "news", ()), ({**state, "recording": False}, "news", ())]


async def test_who_comes_later_is_told_more_than_once_because_not_all_can_hear_at_once(told: Begin):
    room = Room()
    one = told(room)
    one.came("early")
    one.state(RECORDING)
    await until(lambda: room.heard)
    one.came("anna")
    one.came("bert")
    await until(lambda: len(room.heard) >= 3)
    await asyncio.sleep(0.4)
    told_to = sorted(user_id for _, _, to in room.heard[1:] for user_id in to)
    assert told_to == ["anna", "anna", "bert", "bert"]
    assert all(said["recording"] for said, _, _ in room.heard)


async def test_of_a_crowd_that_comes_at_once_everybody_is_told(told: Begin):
    room = Room()
    one = told(room)
    one.state(RECORDING)
    await until(lambda: room.heard)
    for n in range(MOST_NEWCOMERS + 1):
        one.came(f"guest-{n}")
    await until(lambda: len(room.heard) >= 3)
    assert [to for _, _, to in room.heard] == [(), (), ()]


async def test_only_the_newest_state_waits_for_a_room_that_is_slow(told: Begin):
    room = Room(held=asyncio.Event())
    one = told(room)
    one.state(RECORDING)
    await until(lambda: room.tries)
    for n in range(10):
        one.state(RoomState(recording=n % 2 == 0, broadcasting=True))
    assert room.held is not None
    room.held.set()
    await until(lambda: len(room.heard) == 2)
    await asyncio.sleep(0.1)
    assert [(said["recording"], said["broadcasting"]) for said, _, _ in room.heard] == [(True, False), (False, True)]


@pytest.mark.parametrize("error", [OSError("no route"), ConnectorError(ROOM_GONE, "no route")])
async def test_an_sfu_or_a_room_that_is_away_is_told_when_it_is_back_and_said_to_be_away_once(
    told: Begin, caplog: pytest.LogCaptureFixture, error: Exception
):
    caplog.set_level(logging.INFO)
    room = Room(error=error)
    one = told(room)
    one.state(RECORDING)
    await until(lambda: len(room.tries) >= 4)
    gaps = [later - sooner for sooner, later in zip(room.tries, room.tries[1:], strict=False)]
    assert gaps[0] >= 0.05 and min(gaps[1:]) >= 0.1
    room.error = None
    await until(lambda: room.heard)
    said = [(record.levelname, record.message) for record in caplog.records]
    assert said == [("WARNING", "the room could not be told: no route"), ("INFO", "the room can be told again")]
    assert room.states() == [True]


async def test_what_is_not_allowed_is_said_once_and_not_tried_again(told: Begin, caplog: pytest.LogCaptureFixture):
    room = Room(error=ConnectorError("unauthorized", "the key may not send data"))
    one = told(room)
    one.state(RECORDING)
    await until(lambda: room.tries)
    one.came("anna")
    one.caption({"type": "caption"})
    one.state(RoomState())
    await asyncio.sleep(0.3)
    assert len(room.tries) == 1
    assert [r.message for r in caplog.records] == [
        "the room is not told any more: the key may not send data (unauthorized)"
    ]


async def test_a_teller_with_a_fault_of_its_own_breaks_nothing(told: Begin):
    room = Room(error=RuntimeError("a fault"))
    one = told(room)
    one.state(RECORDING)
    await until(lambda: len(room.tries) >= 2)
    room.error = None
    await until(lambda: room.states() == [True])


async def test_captions_are_told_in_their_order_and_of_too_many_the_newest(told: Begin):
    room = Room(held=asyncio.Event())
    one = told(room)
    one.caption({"type": "caption", "n": -1})
    await until(lambda: room.tries)
    for n in range(MOST_CAPTIONS + 10):
        one.caption({"type": "caption", "n": n})
    assert room.held is not None
    room.held.set()
    await until(lambda: len(room.heard) == MOST_CAPTIONS + 1)
    assert [said["n"] for said, _, _ in room.heard] == [-1, *range(10, MOST_CAPTIONS + 10)]


async def test_the_last_state_is_told_before_the_end_but_is_not_waited_for_long(told: Begin):
    room = Room()
    one = told(room)
    one.state(RECORDING)
    await until(lambda: room.heard)
    one.state(RoomState())
    await one.close()
    assert room.states() == [True, False]
    assert room.closed
    stuck = Room(held=asyncio.Event())
    other = told(stuck)
    other.state(RECORDING)
    began = time.monotonic()
    await other.close()
    assert time.monotonic() - began < 2.0
    assert stuck.closed and stuck.heard == []


class Telled:
    """A connector with a teller, or without."""

    type = "fake"


@pytest.mark.parametrize("asks", [True, False])
async def test_a_room_is_told_where_the_address_asks_for_it(asks: bool):
    room, connector = Room(), Telled()
    connector.teller = lambda address: room if asks else None  # type: ignore[attr-defined]
    address = type("Address", (), {"topic": "stage"})()
    found = telling.telling(connector, address, "default:abc")  # type: ignore[arg-type]
    if not asks:
        assert found is None
        return
    assert found is not None
    found.state(RECORDING)
    await found.close()
    assert [topic for _, topic, _ in room.heard] == ["stage"]


async def test_without_a_teller_or_a_right_to_it_nobody_is_told(caplog: pytest.LogCaptureFixture):
    def refuse(address: Any) -> Room:
        raise ConnectorError("unauthorized", "a token cannot tell the room")

    without, refused = Telled(), Telled()
    refused.teller = refuse  # type: ignore[attr-defined]
    assert telling.telling(without, None, "default:abc") is None  # type: ignore[arg-type]
    assert caplog.records == []
    assert telling.telling(refused, None, "default:abc") is None  # type: ignore[arg-type]
    assert "a token cannot tell the room" in caplog.text
