"""The relay: events in order of each call and sink, whatever the sinks do and whichever worker relays."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from tests.workers.events.conftest import (
    HURRY,
    RULES,
    CutOff,
    Fickle,
    dead,
    deaths,
    events,
    never,
    not_now,
    put,
    put_many,
    relaying,
    unsent,
    until,
)
from workers.events.relay import LEASE, Rules
from workers.events.sinks import Envelope, NotTaken
from workers.ledger import dead_letters, leases, outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, SinkCursor

T = TypeVar("T")


async def test_every_sink_gets_every_event_in_order(ledger: Ledger) -> None:
    one, two = Fickle("one"), Fickle("two")
    put(ledger, "a:1", *range(30))
    put(ledger, "b:2", *range(30))
    async with relaying(ledger, [one, two]) as relay:
        await until(lambda: not unsent(ledger))
        assert await relay.drained(1.0)
    for sink in (one, two):
        assert sink.numbers("a:1") == sink.numbers("b:2") == list(range(30))
        assert {event.id for event in sink.got} == {event.id for event in events(ledger)}


async def test_an_event_is_sent_within_a_poll_or_two(ledger: Ledger) -> None:
    sink = Fickle()
    async with relaying(ledger, [sink], replace(RULES, poll=0.1)):
        put(ledger, "a:1", 0)
        await until(lambda: len(sink.got) == 1)
        took = []
        for number in range(1, 6):
            put(ledger, "a:1", number)
            took.append(await until(lambda number=number: len(sink.got) == number + 1))
    assert min(took) < 0.25 and sorted(took)[2] < 0.6, took


async def test_an_event_of_the_same_process_is_not_left_until_the_next_poll(ledger: Ledger) -> None:
    sink = Fickle()
    async with relaying(ledger, [sink], replace(RULES, poll=60.0)):
        for number in range(5):
            put(ledger, "a:1", number)
            await until(lambda number=number: len(sink.got) == number + 1)
            await until(lambda: not unsent(ledger))


class SlowLedger(AsyncLedger):
    """Takes long to answer; and whoever writes is another process, so that nobody here is told."""

    async def read(self, function: Callable[[Session], T]) -> T:
        return await super().read(lambda tx: (time.sleep(0.4), function(tx))[1])

    def listen(self, on_events: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


async def test_a_slow_ledger_is_looked_into_as_often_as_any_while_few_calls_have_events(ledger: Ledger) -> None:
    sink = Fickle()
    async with relaying(ledger, [sink], replace(RULES, poll=0.1), SlowLedger(ledger)):
        put(ledger, "a:1", 0)
        await until(lambda: len(sink.got) == 1)
        put(ledger, "a:1", 1)
        took = await until(lambda: len(sink.got) == 2)
    assert took < 2.5, took


async def test_an_event_that_is_not_taken_holds_back_its_own_call_only(ledger: Ledger) -> None:
    steady, fickle = Fickle("steady"), Fickle()

    def decide(event: Envelope) -> None:
        if event.call_cid == "a:1":
            raise NotTaken("not now")

    fickle.decide = decide
    put(ledger, "a:1", 0, 1, 2)
    put(ledger, "b:2", 0, 1, 2)
    async with relaying(ledger, [steady, fickle]) as relay:
        await until(lambda: len(steady.got) == 6 and len(fickle.got) == 3)
        assert fickle.numbers("b:2") == [0, 1, 2]
        assert not await relay.drained(0.1)
        fickle.decide = lambda event: None
        await until(lambda: not unsent(ledger))
    assert fickle.numbers("a:1") == steady.numbers("a:1") == [0, 1, 2]
    assert len(steady.got) == 6


async def test_the_number_of_attempts_goes_on_over_rounds_and_relays(ledger: Ledger) -> None:
    put(ledger, "a:1", 0, 1)
    sink = Fickle()
    sink.decide = not_now
    async with relaying(ledger, [sink]):
        await until(lambda: len(sink.tries) >= 3)
    made = len(sink.tries)
    again = Fickle()
    async with relaying(ledger, [again]):
        await until(lambda: not unsent(ledger))
    first, second = (event.id for event in events(ledger))
    assert [attempts for _, attempts in sink.tries] == list(range(made))
    assert again.tries[0] in ((first, made), (first, made - 1))  # the last one may not have been written down
    assert again.tries[1] == (second, 0)


async def test_a_refused_event_is_a_dead_letter_at_once_and_the_next_ones_go_on(ledger: Ledger) -> None:
    sink = Fickle()
    refused = put(ledger, "a:1", 0)
    put(ledger, "a:1", 1, 2)

    def decide(event: Envelope) -> None:
        if event.id == refused[0]:
            never(event)

    sink.decide = decide
    async with relaying(ledger, [sink]):
        await until(lambda: not unsent(ledger))
    assert sink.numbers("a:1") == [1, 2]
    (letter,) = dead(ledger)
    assert (letter.event_id, letter.sink, letter.attempts, letter.error) == (refused[0], "fickle", 1, "never")


async def test_a_replayed_event_is_sent_again_with_its_id_to_the_sink_that_lacks_it(ledger: Ledger) -> None:
    picky, steady = Fickle("picky"), Fickle("steady")
    picky.decide = never
    ids = put(ledger, "a:1", 0, 1)
    async with relaying(ledger, [picky, steady]):
        await until(lambda: len(dead(ledger)) == 2)
        picky.decide = lambda event: None
        put(ledger, "a:1", 2)
        await until(lambda: picky.numbers("a:1") == [2])
        with ledger.writing() as tx:
            assert len(dead_letters.replay(tx, [letter.id for letter in dead(ledger)], datetime.now(UTC))) == 2
        await until(lambda: not dead(ledger))
    assert picky.numbers("a:1") == [2, 0, 1]
    assert [event.id for event in picky.got[1:]] == ids
    assert steady.numbers("a:1") == [0, 1, 2]
    with ledger.reading() as tx:
        assert not tx.get_one(Call, "a:1").untold


async def test_a_replayed_event_that_is_refused_again_is_a_dead_letter_again(ledger: Ledger) -> None:
    sink = Fickle()
    sink.decide = never
    put(ledger, "a:1", 0)
    async with relaying(ledger, [sink]):
        await until(lambda: len(dead(ledger)) == 1)
        with ledger.writing() as tx:
            dead_letters.replay(tx, [dead(ledger)[0].id], datetime.now(UTC))
        await until(lambda: len(sink.tries) == 2 and dead(ledger)[0].replay_at is None)
    assert dead(ledger)[0].attempts == 2


async def test_a_letter_can_be_replayed_to_another_sink(ledger: Ledger) -> None:
    old, new = Fickle("old"), Fickle("new")
    old.decide = never
    put(ledger, "a:1", 0)
    async with relaying(ledger, [old]):
        await until(lambda: len(dead(ledger)) == 1)
    with ledger.writing() as tx:
        dead_letters.replay(tx, [dead(ledger)[0].id], datetime.now(UTC), to="new")
    async with relaying(ledger, [new]):
        await until(lambda: not dead(ledger))
    assert new.numbers("a:1") == [0]


async def test_types_that_a_sink_does_not_want_pass_it_by(ledger: Ledger) -> None:
    sink = Fickle()
    put(ledger, "a:1", 0)
    put(ledger, "a:1", 1, 2, type_="call.unwanted")
    put(ledger, "a:1", 3)
    put(ledger, "a:1", 4, type_="call.unwanted")
    async with relaying(ledger, [sink]):
        await until(lambda: not unsent(ledger))
    assert sink.numbers("a:1") == [0, 3]


async def test_each_event_is_taken_once_and_in_order_however_often_tries_fail(ledger: Ledger) -> None:
    dice = random.Random(7)
    sinks = [Fickle("one"), Fickle("two", lanes=1), Fickle("three")]

    def decide(event: Envelope) -> None:
        if dice.random() < 0.3:
            raise NotTaken("not now")

    for sink in sinks:
        sink.decide = decide
    calls = [f"default:{n}" for n in range(12)]
    quick = replace(RULES, patience=replace(HURRY, first=0.005, longest=0.02, longest_probe=0.02))
    async with relaying(ledger, sinks, quick):
        for number in range(15):
            for cid in calls:
                put(ledger, cid, number)
            await asyncio.sleep(0.01)
        await until(lambda: not unsent(ledger), 30)
    for sink in sinks:
        for cid in calls:
            assert sink.numbers(cid) == list(range(15))
    assert dead(ledger) == []


async def test_a_sink_that_is_down_is_tried_with_one_call_at_a_time(ledger: Ledger) -> None:
    sink = Fickle(lanes=8)
    sink.decide = not_now
    for n in range(50):
        put(ledger, f"default:{n}", 0)
    patience = replace(HURRY, first=0.1, longest=10.0, longest_probe=0.1)
    async with relaying(ledger, [sink], replace(RULES, patience=patience)):
        await until(lambda: len(sink.tries) >= 8)
        await asyncio.sleep(0.2)
        before = len(sink.tries)
        await asyncio.sleep(1.0)
        assert 1 <= len(sink.tries) - before <= 11  # ten pauses of 0.1 s, not 50 calls each time
        sink.decide = lambda event: None
        took = await until(lambda: not unsent(ledger))
    assert took < 8.0
    assert len(sink.got) == 50


async def test_what_is_older_than_a_day_and_still_not_taken_is_a_dead_letter(ledger: Ledger) -> None:
    sink = Fickle()
    sink.decide = not_now
    ids = put(ledger, "a:1", 0, 1)
    patience = replace(HURRY, keep_trying=1.5)
    async with relaying(ledger, [sink], replace(RULES, patience=patience)):
        await until(lambda: len(dead(ledger)) == 2)
        sink.decide = lambda event: None
        put(ledger, "a:1", 2)
        await until(lambda: not unsent(ledger))
    letters = dead(ledger)
    assert [letter.event_id for letter in letters] == ids
    assert letters[0].attempts >= 2
    assert "given up after 1.5 s: not now" in letters[0].error
    assert sink.numbers("a:1") == [2]


async def test_old_events_of_many_calls_are_given_up_together_while_a_sink_is_down(ledger: Ledger) -> None:
    down, up = Fickle("down"), Fickle("up")
    down.decide = not_now
    yesterday = datetime.now(UTC) - timedelta(days=2)
    for n in range(60):
        put(ledger, f"default:{n}", 0, 1, at=yesterday)
        put(ledger, f"default:{n}", 2)
    patience = replace(HURRY, keep_trying=3600.0, at_least=0.3, longest_probe=30.0, first=5.0)
    async with relaying(ledger, [down, up], replace(RULES, patience=patience)):
        await until(lambda: deaths(ledger) == 120)
        assert len(down.tries) < 30
        await until(lambda: len(up.got) == 180)
        down.decide = lambda event: None
    async with relaying(ledger, [down, up]):
        await until(lambda: not unsent(ledger))
    assert [down.numbers(f"default:{n}") for n in range(60)] == [[2]] * 60


async def test_an_old_event_is_tried_for_a_while_when_nothing_ran_for_a_day(ledger: Ledger) -> None:
    sink = Fickle()
    sink.decide = not_now
    put(ledger, "a:1", 0, at=datetime.now(UTC) - timedelta(days=2))
    async with relaying(ledger, [sink]):
        await until(lambda: len(sink.tries) >= 3)
        assert dead(ledger) == []
        sink.decide = lambda event: None
        await until(lambda: not unsent(ledger))
    assert sink.numbers("a:1") == [0]


async def test_a_long_queue_of_one_call_delays_no_other_call(ledger: Ledger) -> None:
    sink = Fickle(lanes=1)
    put_many(ledger, "a:1", 20_000)
    async with relaying(ledger, [sink]):
        await until(lambda: len(sink.got) > 50)
        put(ledger, "b:2", 0)
        took = await until(lambda: sink.numbers("b:2") == [0])
        assert took < 5.0, took
        assert len(sink.got) < 19_000
        assert sink.numbers("a:1") == list(range(len(sink.got) - 1))


async def test_a_sink_that_is_new_starts_at_what_is_not_sent_yet(ledger: Ledger) -> None:
    first = Fickle("first")
    put(ledger, "a:1", 0, 1)
    async with relaying(ledger, [first]):
        await until(lambda: not unsent(ledger))
    put(ledger, "a:1", 2)
    new = Fickle("new")
    async with relaying(ledger, [first, new]):
        await until(lambda: not unsent(ledger))
    assert first.numbers("a:1") == [0, 1, 2]
    assert new.numbers("a:1") == [2]


async def test_a_sink_that_is_gone_holds_nothing_back(ledger: Ledger) -> None:
    stays, goes = Fickle("stays"), Fickle("goes")
    goes.decide = not_now
    put(ledger, "a:1", 0)
    async with relaying(ledger, [stays, goes]):
        await until(lambda: bool(stays.got))
    async with relaying(ledger, [stays]):
        await until(lambda: not unsent(ledger))
    assert stays.numbers("a:1") == [0]


async def test_without_sinks_everything_counts_as_sent(ledger: Ledger) -> None:
    put(ledger, "a:1", 0)
    async with relaying(ledger, []):
        await until(lambda: not unsent(ledger))


async def test_two_relays_never_send_at_once_and_one_takes_over_within_the_lease(ledger: Ledger) -> None:
    first, second = Fickle("sink"), Fickle("sink")
    rules = replace(RULES, lease=2.0)
    async with relaying(ledger, [second], replace(rules, owner="other")) as other:
        await until(lambda: other.sends)
        async with relaying(ledger, [first], rules) as waiting:
            put(ledger, "a:1", 0)
            await until(lambda: not unsent(ledger))
            assert (len(first.got), len(second.got)) == (0, 1)
            assert not waiting.sends
            # As if it had been killed: it neither sends nor renews, and does not say so.
            with ledger.writing() as tx:
                leases.release(tx, LEASE, "other")
                assert leases.claim(tx, LEASE, "killed", 2.0)
            await until(lambda: not other.sends)
            put(ledger, "a:1", 1)
            took = await until(lambda: not unsent(ledger))
            assert 0.5 < took < 8.0
    assert [event.payload["number"] for event in second.got + first.got] == [0, 1]


async def test_a_relay_that_ends_frees_its_lease_at_once(ledger: Ledger) -> None:
    sink = Fickle()
    async with relaying(ledger, [sink], replace(RULES, owner="one")) as one:
        await until(lambda: one.sends)
    with ledger.reading() as tx:
        assert leases.free(tx, LEASE, "two")


async def test_a_relay_whose_lease_cannot_be_renewed_stops_before_another_can_have_it(ledger: Ledger) -> None:
    sink = Fickle()
    sink.takes_time = 60.0
    put(ledger, "a:1", 0)
    cut_off = CutOff(ledger)
    async with relaying(ledger, [sink], replace(RULES, lease=2.0), cut_off) as relay:
        await until(lambda: bool(sink.tries))
        cut_off.back.clear()
        await until(lambda: not relay.sends, 10)
        await asyncio.sleep(0.05)
        with ledger.reading() as tx:
            assert not leases.free(tx, LEASE, "other")
        assert sink.cancelled == 1
        sink.takes_time = 0.0
        cut_off.back.set()
        await until(lambda: not unsent(ledger))
    assert sink.numbers("a:1") == [0]


async def test_what_was_delivered_long_ago_is_forgotten_and_dead_letters_later(ledger: Ledger) -> None:
    sink = Fickle()
    (refused,) = put(ledger, "a:1", 0)

    def decide(event: Envelope) -> None:
        if event.id == refused:
            never(event)

    sink.decide = decide
    put(ledger, "a:1", 1, 2)
    put(ledger, "b:2", 0)
    async with relaying(ledger, [sink]):
        await until(lambda: not unsent(ledger))
    now = datetime.now(UTC)
    with ledger.writing() as tx:
        assert dead_letters.prune(tx, now + timedelta(seconds=50), 60.0) == 0
        tx.get_one(type(dead(ledger)[0]), dead(ledger)[0].id).created_at = now + timedelta(seconds=60)
    with ledger.writing() as tx:
        dead_letters.prune(tx, now + timedelta(seconds=70), 60.0)
    assert [event.id for event in events(ledger)] == [refused]
    with ledger.reading() as tx:
        assert [cursor.call_cid for cursor in tx.query(SinkCursor)] == ["a:1"]
    with ledger.writing() as tx:
        dead_letters.prune(tx, now + timedelta(seconds=130), 60.0)
    assert events(ledger) == []
    put(ledger, "a:1", 3)
    async with relaying(ledger, [sink]):
        await until(lambda: not unsent(ledger))
    assert sink.numbers("a:1") == [1, 2, 3]


async def test_answers_to_messages_that_name_no_call_are_a_stream_of_their_own(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        outbox.put(tx, {"type": "egress.request_answered", "request_id": "r", "ok": False}, datetime.now(UTC), "id-1")
        outbox.put(tx, {"type": "egress.request_answered", "request_id": "r", "ok": False}, datetime.now(UTC), "id-1")
    sink = Fickle()
    async with relaying(ledger, [sink]):
        await until(lambda: not unsent(ledger))
    assert [(event.id, event.call_cid) for event in sink.got] == [("id-1", outbox.NO_CALL)]


def test_the_rules_are_those_of_the_settings() -> None:
    assert Rules("me").lease == 20.0
    assert Rules("me").patience.keep_trying == 86_400.0


async def test_events_of_writers_at_the_same_time_all_arrive_in_order(ledger: Ledger) -> None:
    sink = Fickle()
    dice = random.Random(3)
    calls = ("a:1", "b:2", "c:3")

    def write(writer: int) -> None:
        for number in range(20):
            cid = calls[(writer + number) % 3]

            def add(tx: Session, cid: str = cid, number: int = number) -> None:
                outbox.put(tx, {"type": "call.test", "call_cid": cid, "number": (writer, number)}, datetime.now(UTC))
                time.sleep(dice.random() * 0.005)  # others may come to their end first

            ledger.write(add, urgent=True)  # in turns they would not meet

    async with relaying(ledger, [sink]):
        await asyncio.gather(*(asyncio.to_thread(write, writer) for writer in range(4)))
        await until(lambda: not unsent(ledger))
    assert len(sink.got) == 80
    for cid in calls:
        got = [event for event in sink.got if event.call_cid == cid]
        assert [event.position for event in got] == list(range(1, len(got) + 1))
        for writer in range(4):
            mine = [event.payload["number"][1] for event in got if event.payload["number"][0] == writer]
            assert mine == sorted(mine)


def test_an_event_that_is_put_twice_at_once_is_one(ledger: Ledger) -> None:
    gate = threading.Barrier(3)

    def write() -> None:
        gate.wait()
        payload = {"type": "call.test", "call_cid": "a:1"}
        ledger.write(lambda tx: outbox.put(tx, payload, datetime.now(UTC), "one-id"), urgent=True)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(event.id, event.position) for event in events(ledger)] == [("one-id", 1)]
