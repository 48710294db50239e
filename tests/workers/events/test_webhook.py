"""Hooks: what is sent, how it is signed, how often it is tried, and what a hook that fails does to others."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from egress.url_guard import Guard, UrlRefused
from tests.rig.servers.hooks import CLOSE, STALL, Answer, Behaviour, HookReceiver, HookRequest
from tests.workers.events.conftest import HERE, HURRY, RULES, dead, hook_sink, put, relaying, unsent, until
from workers.events.sinks import Envelope, NotTaken, Refused
from workers.events.sinks.attempts import Limits, Outcome, outcome_of, pause_before_next, retry_after
from workers.events.sinks.webhook import LONGEST_ANSWER, USER_AGENT, WebhookSink, hook_name
from workers.ledger.database import Ledger
from workers.settings.hooks import Webhook

EVENT = Envelope("id-1", "default:a", 1, {"type": "call.test", "call_cid": "default:a", "name": "Zoë 雪"})


async def test_an_event_is_posted_as_the_hosted_platforms_do() -> None:
    async with HookReceiver(secret="s3cret") as hook:
        sink = hook_sink(hook)
        await sink.send(EVENT, 0)
        await sink.close()
    (request,) = hook.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert json.loads(request.body) == EVENT.payload
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["x-webhook-id"] == "id-1"
    assert request.headers["x-webhook-attempt"] == "1"
    assert request.headers["x-api-key"] == "key-1"
    assert request.headers["x-signature"] == hmac.new(b"s3cret", request.body, hashlib.sha256).hexdigest()
    assert "authorization" not in request.headers


async def test_connections_are_kept_alive() -> None:
    async with HookReceiver() as hook:
        sink = hook_sink(hook)
        hook.answers += [Answer(200, body=b"x" * LONGEST_ANSWER)]
        for _ in range(5):
            await sink.send(EVENT, 0)
        await sink.close()
    assert [request.connection for request in hook.requests] == [1] * 5


@pytest.mark.parametrize(
    ("behaviour", "error", "attempts"),
    [
        (500, NotTaken, 3),
        (503, NotTaken, 3),
        (408, NotTaken, 3),
        (429, NotTaken, 3),
        (CLOSE, NotTaken, 2),
        (STALL, NotTaken, 3),
        (Answer(500, {"Transfer-Encoding": "chunked"}, b"zz\r\n"), NotTaken, 3),
        (400, Refused, 1),
        (401, Refused, 1),
        (404, Refused, 1),
        (410, Refused, 1),
        (301, Refused, 1),
        (Answer(307, {"Location": "http://127.0.0.1:1/elsewhere"}), Refused, 1),
    ],
    ids=str,
)
async def test_attempts_follow_the_rules(behaviour: Behaviour, error: type[Exception], attempts: int) -> None:
    async with HookReceiver() as hook:
        hook.behave = lambda request: behaviour
        # Only what never answers may run into the limits, on a busy machine too.
        sink = hook_sink(hook) if behaviour is STALL else hook_sink(hook, limits=Limits(pause=0.01))
        with pytest.raises(error) as caught:
            await sink.send(EVENT, 4)
        await sink.close()
    assert caught.value.attempts == attempts  # type: ignore[attr-defined]
    assert [request.attempt for request in hook.requests] == list(range(5, 5 + attempts))
    assert {request.id for request in hook.requests} == {"id-1"}
    assert all(request.verified for request in hook.requests)


async def test_a_hook_that_is_gone_is_tried_twice_and_named_without_its_secrets() -> None:
    async with HookReceiver() as hook:
        pass
    url = hook.url.replace("http://", "http://me:pass@") + "?token=t0ken"
    sink = WebhookSink(Webhook(url=SecretStr(url), secret=SecretStr("s")), HERE, Limits(pause=0.01))
    with pytest.raises(NotTaken, match=rf"^http://127.0.0.1:{hook.port} cannot be reached") as caught:
        await sink.send(EVENT, 0)
    await sink.close()
    assert caught.value.attempts == 2
    assert "t0ken" not in str(caught.value) + sink.name and "pass" not in str(caught.value) + sink.name


async def test_a_hook_that_recovers_between_attempts_has_the_event() -> None:
    async with HookReceiver() as hook:
        hook.answers += [503, CLOSE]
        sink = hook_sink(hook)
        with pytest.raises(NotTaken):
            await sink.send(EVENT, 0)  # the second one ended as a network error, of which there are two
        hook.answers += [500, 500, 204]
        await sink.send(EVENT, 2)
        await sink.close()
    assert [request.attempt for request in hook.requests] == [1, 2, 3, 4, 5]


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async with HookReceiver() as hook:
        hook.behave = lambda request: Answer(200, body=b"x" * 5_000_000)
        sink = hook_sink(hook, limits=Limits())
        began = time.monotonic()
        await sink.send(EVENT, 0)
        await sink.send(EVENT, 0)
        await sink.close()
    assert time.monotonic() - began < 3
    assert [request.connection for request in hook.requests] == [1, 2]


async def test_a_status_counts_even_when_the_rest_of_the_answer_is_broken() -> None:
    async with HookReceiver() as hook:
        hook.behave = lambda request: Answer(200, {"Transfer-Encoding": "chunked"}, b"zz\r\n")
        sink = hook_sink(hook)
        await sink.send(EVENT, 0)
        await sink.close()
    assert len(hook.requests) == 1


async def test_time_outs_are_the_documented_ones() -> None:
    """At their real values: 6 s for a request, 15 s for all."""
    async with HookReceiver() as hook:
        hook.behave = lambda request: STALL
        sink = hook_sink(hook, limits=Limits())
        began = time.monotonic()
        with pytest.raises(NotTaken, match="did not answer within"):
            await sink.send(EVENT, 0)
        took = time.monotonic() - began
        await sink.close()
    starts = [request.at - began for request in hook.requests]
    assert len(starts) == 3
    assert 5.9 < starts[1] < 7 and 12 < starts[2] < 14
    assert 13 < took <= 15.5


async def test_retry_after_is_honoured() -> None:
    async with HookReceiver() as hook:
        hook.answers += [Answer(429, {"Retry-After": "1"})]
        sink = hook_sink(hook, limits=Limits(pause=0.01))
        await sink.send(EVENT, 0)
        hook.answers += [Answer(503, {"Retry-After": "40"})]
        with pytest.raises(NotTaken) as caught:
            await sink.send(EVENT, 0)
        await sink.close()
    assert 0.95 < hook.requests[1].at - hook.requests[0].at < 2.0
    assert (caught.value.attempts, caught.value.retry_after) == (1, 40.0)


NOW = datetime(2025, 2, 10, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0.0),
        ("7", 7.0),
        ("100000", 300.0),
        ("9" * 400, 300.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("Mon, 10 Feb 2025 12:00:30 GMT", 30.0),
        ("Mon, 10 Feb 2025 11:00:30 GMT", 0.0),
        ("Mon, 10 Feb 2035 12:00:30 GMT", 300.0),
    ],
)
def test_retry_after_has_bounds(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}, NOW, Limits()) == seconds


def test_outcomes_of_answers() -> None:
    assert {outcome_of(s) for s in (200, 201, 204, 299)} == {Outcome.TAKEN}
    assert {outcome_of(s) for s in (301, 302, 307, 400, 403, 404, 409, 410, 422)} == {Outcome.REFUSED}
    assert {outcome_of(s) for s in (408, 429, 500, 502, 599)} == {Outcome.BUSY}


def test_no_attempt_begins_that_would_not_fit() -> None:
    limits = Limits()
    assert pause_before_next(Outcome.TIMED_OUT, 2, 12.25, 0.0, limits) == limits.pause
    assert pause_before_next(Outcome.BUSY, 1, 5.9, 10.0, limits) is None
    assert pause_before_next(Outcome.BUSY, 3, 0.1, 0.0, limits) is None
    assert pause_before_next(Outcome.UNREACHABLE, 2, 0.1, 0.0, limits) is None


def test_names_of_hooks_are_stable_and_secretless() -> None:
    def named(url: str, **fields: Any) -> str:
        return hook_name(Webhook(url=SecretStr(url), secret=SecretStr("s"), **fields))

    assert named("https://u:p@hooks.example/path?key=1") == named("https://u:p@hooks.example/path?key=1")
    assert named("https://u:p@hooks.example/path?key=1").startswith("webhook:hooks.example:")
    assert named("https://hooks.example/a") != named("https://hooks.example/b")
    assert named("https://hooks.example/a", name="main") == named("https://other.example", name="main")


async def test_private_addresses_are_not_spoken_to_unless_allowed() -> None:
    async with HookReceiver() as hook:
        sink = WebhookSink(Webhook(url=SecretStr(hook.url), secret=SecretStr("s")), Guard(), Limits(pause=0.01))
        with pytest.raises(NotTaken, match="private"):
            await sink.send(EVENT, 0)
        await sink.close()
    assert hook.requests == []
    with pytest.raises(UrlRefused, match="scheme"):
        WebhookSink(Webhook(url=SecretStr("file:///etc/passwd"), secret=SecretStr("s")), Guard())


async def test_a_hook_hears_only_the_types_that_it_names(ledger: Ledger) -> None:
    async with HookReceiver() as hook:
        put(ledger, "a:1", 0, type_="call.one")
        put(ledger, "a:1", 1, type_="call.two")
        put(ledger, "a:1", 2, type_="call.one")
        async with relaying(ledger, [hook_sink(hook, events=["call.one"])]):
            await until(lambda: not unsent(ledger))
    assert [event["number"] for event in hook.events] == [0, 2]


async def test_a_dead_hook_delays_no_other_hook_and_a_refused_call_no_other_call(ledger: Ledger) -> None:
    async with HookReceiver() as stalls, HookReceiver() as moody, HookReceiver() as well:
        stalls.behave = lambda request: STALL
        moody.behave = lambda request: 500 if request.event["call_cid"] == "a:1" else 200
        sinks = [hook_sink(stalls, "stalls"), hook_sink(moody, "moody"), hook_sink(well, "well")]
        async with relaying(ledger, sinks):
            delays: dict[str, list[float]] = {"moody": [], "well": []}
            for number in range(10):
                put(ledger, "a:1", number)
                put(ledger, "b:2", number)
                began = time.monotonic()
                await until(lambda number=number: len(well.taken) == 2 * number + 2)
                delays["well"].append(time.monotonic() - began)
                await until(lambda number=number: len(moody.taken) == number + 1)
                delays["moody"].append(time.monotonic() - began)
            assert len(stalls.taken) == 0
            assert [e["call_cid"] for e in moody.events] == ["b:2"] * 10
            # Each request to the hook that stalls takes 0.4 s, a round of them 1 s.
            for usual in (sorted(delays["well"])[5], sorted(delays["moody"])[5]):
                assert usual < 0.4, delays


async def test_a_hook_that_is_down_for_a_while_gets_everything_once_and_in_order(ledger: Ledger) -> None:
    async with HookReceiver() as hook, relaying(ledger, [hook_sink(hook)]):
        put(ledger, "a:1", 0)
        await until(lambda: len(hook.taken) == 1)
        await hook.kill()
        for number in range(1, 8):
            for cid in ("a:1", "b:2", "c:3", "d:4", "e:5"):
                put(ledger, cid, number)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        await hook.start()
        await until(lambda: not unsent(ledger))
    assert len(hook.taken) == 36
    assert len({request.id for request in hook.taken}) == 36
    for cid in ("a:1", "b:2", "c:3", "d:4", "e:5"):
        numbers = [e["number"] for e in hook.events if e["call_cid"] == cid]
        assert numbers == ([0] if cid == "a:1" else []) + list(range(1, 8))
    assert all(request.verified for request in hook.requests)


async def test_a_refusal_is_a_dead_letter_at_once_over_http(ledger: Ledger) -> None:
    async with HookReceiver() as hook:

        def behave(request: HookRequest) -> int:
            return 422 if request.event["number"] == 1 else 200

        hook.behave = behave
        put(ledger, "a:1", 0, 1, 2)
        async with relaying(ledger, [hook_sink(hook, "mine")]):
            await until(lambda: not unsent(ledger))
    assert [event["number"] for event in hook.events] == [0, 2]
    assert len(hook.requests) == 3
    (letter,) = dead(ledger)
    assert (letter.sink, letter.attempts) == ("webhook:mine", 1)
    assert letter.error == f"http://127.0.0.1:{hook.port} answered 422"


async def test_the_same_id_and_rising_attempts_over_rounds(ledger: Ledger) -> None:
    async with HookReceiver() as hook:
        hook.behave = lambda request: 200 if request.attempt == 8 else 500
        put(ledger, "a:1", 0)
        async with relaying(ledger, [hook_sink(hook)], replace(RULES, patience=replace(HURRY, first=0.02))):
            await until(lambda: not unsent(ledger))
    assert [request.attempt for request in hook.requests] == list(range(1, 9))
    assert len({request.id for request in hook.requests}) == 1
