"""Pins, moderation and layouts that change: from messages to what attendants are told, and what stays in the ledger."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from egress.protocol.directions import Directions, Moderated
from egress.protocol.directions import Pin as Pinned
from tests.workers.conftest import MakeBench, until
from workers.ledger import directions
from workers.ledger.directions import MOST_PINS, MOST_USERS, in_force, moderated, pinned, together
from workers.messages import parse
from workers.refused import BadMessage, Refused

ANNA, BERT = Pinned(user_id="anna"), Pinned(participant="p-bert")
NOTHING: dict[str, list[Any]] = {"pins": [], "moderation": []}


def test_the_latest_pin_is_the_first() -> None:
    said = pinned(pinned({}, ANNA, True, 1), BERT, True, 2)
    assert in_force(said).pins == (BERT, ANNA)
    assert in_force(pinned(said, ANNA, True, 3)).pins == (ANNA, BERT)
    assert in_force(pinned(said, BERT, False, 3)).pins == (ANNA,)


def test_of_pins_of_one_millisecond_the_one_that_was_taken_later_is_the_first() -> None:
    assert in_force(pinned(pinned({}, ANNA, True, 1), BERT, True, 1)).pins == (BERT, ANNA)


def test_a_pin_that_comes_after_a_later_unpin_changes_nothing() -> None:
    assert in_force(pinned(pinned({}, ANNA, False, 5), ANNA, True, 4)).pins == ()
    assert in_force(pinned(pinned({}, None, False, 5), ANNA, True, 4)).pins == ()
    assert in_force(pinned(pinned({}, ANNA, True, 5), None, False, 4)).pins == (ANNA,)


def test_moderation_keeps_what_is_not_said() -> None:
    said = moderated(moderated({}, "bert", {"video": "blur"}, 1), "bert", {"audio": "silence"}, 2)
    assert in_force(said).moderation == (Moderated(user_id="bert", video="blur", audio="silence"),)
    said = moderated(said, "bert", {"video": "show"}, 3)
    assert in_force(said).moderation == (Moderated(user_id="bert", audio="silence"),)
    assert in_force(moderated(said, "bert", {"audio": "keep"}, 4)) == Directions()


def test_a_word_that_comes_late_undoes_no_later_one() -> None:
    said = moderated(moderated({}, "bert", {"video": "hide"}, 5), "bert", {"video": "show", "audio": "silence"}, 4)
    assert in_force(said).moderation == (Moderated(user_id="bert", video="hide", audio="silence"),)


def test_there_are_bounds_on_what_is_kept() -> None:
    said: dict[str, Any] = {}
    for n in range(3 * MOST_USERS):
        said = moderated(said, f"u{n}", {"video": "show" if n % 3 else "blur"}, n)
    assert len(in_force(said).moderation) == MOST_USERS
    assert len(said["users"]) <= 2 * MOST_USERS
    with pytest.raises(Refused, match="500 users of the session are moderated already"):
        moderated(said, "one more", {"audio": "silence"}, 9999)
    for n in range(MOST_PINS):
        said = pinned(said, Pinned(user_id=f"u{n}"), True, n)
    with pytest.raises(Refused, match="100 participants of the session are pinned already"):
        pinned(said, ANNA, True, 9999)


def test_what_waited_is_laid_together_with_what_was_said() -> None:
    before = moderated(pinned({}, ANNA, True, 1), "bert", {"video": "blur"}, 1)
    waited = moderated(pinned(pinned({}, ANNA, False, 2), BERT, True, 3), "bert", {"audio": "silence"}, 2)
    expected = Directions(pins=(BERT,), moderation=(Moderated(user_id="bert", video="blur", audio="silence"),))
    assert in_force(together(before, waited)) == in_force(together(waited, before)) == expected


@pytest.mark.parametrize(
    ("type_", "fields", "sentence"),
    [
        ("pin", {}, "the message: user_id is missing (or participant_session_id)"),
        ("pin", {"user_id": "a", "participant_session_id": "b"}, "name user_id or participant_session_id, not both"),
        ("unpin", {"user_id": ""}, "user_id: '' is not allowed"),
        ("moderate_participant", {"user_id": "a"}, "nothing is said: give video (show, blur, hide), audio"),
        ("moderate_participant", {"user_id": "a", "video": "pixelate"}, "allowed are show, blur, hide"),
        ("moderate_participant", {"video": "blur"}, "user_id: is missing"),
        ("update_recording", {}, "nothing is said: give layout, options or both"),
        ("update_recording", {"options": {}}, "nothing is said: give layout, options or both"),
        ("update_recording", {"layout": {"name": "gird"}}, 'layout.name: "gird" is not a layout. Did you mean "grid"?'),
        (
            "update_recording",
            {"layout": {"name": "grid", "options": {"grid.colums": 3}}},
            'Did you mean "grid.columns"?',
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(type_: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(type_, {"call_cid": "default:a", **fields})
    assert sentence in str(caught.value)


def ops(heard: list[dict[str, Any]], op: str) -> list[dict[str, Any]]:
    return [one for one in heard if one["op"] == op]


def last(heard: list[dict[str, Any]], op: str) -> Any:
    return ops(heard, op)[-1] if ops(heard, op) else None


async def heard(b: Any, matches: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    await until(lambda: matches(b.heard()), 10.0, b.heard)
    found: list[dict[str, Any]] = b.heard()
    return found


async def test_a_layout_that_changes_is_told_to_the_attendant_and_kept_for_the_next_one(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_state(egress_id, "active")
    outcome = b.send("update_recording", options={"grid.columns": 2}, request_id="r1")
    assert outcome.egress_ids == [egress_id] and outcome.changed == ["layout.options"]
    told = await heard(b, lambda all: bool(ops(all, "update")))
    (update,) = ops(told, "update")
    assert (update["egress_id"], update["layout"]["options"]) == (egress_id, {"grid.columns": 2})
    assert update["epoch"] == b.session().epoch
    assert b.send("update_recording", options={"grid.columns": 2}).changed == []

    b.send("update_recording", layout={"name": "spotlight"})
    await heard(b, lambda all: len(ops(all, "update")) == 2)
    os.kill(b.attendant_pid(), signal.SIGKILL)
    told = await heard(b, lambda all: len(ops(all, "attend")) == 2)
    (spec,) = last(told, "attend")["job"]["egresses"]
    assert spec["layout"]["name"] == "spotlight" and spec["layout"]["options"] == {} and spec["first_part"] == 2


async def test_what_does_not_run_cannot_be_changed(bench: MakeBench) -> None:
    b = await bench()
    with pytest.raises(Refused, match="recording not running") as caught:
        b.send("update_recording", options={"grid.columns": 2}, request_id="r1")
    assert caught.value.code == 404
    assert b.events()[-1]["error"]["message"] == "recording not running"


async def test_an_option_of_another_layout_than_the_one_that_runs_is_refused(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    before = b.egress(egress_id).spec
    for options, sentence in (
        ({"grid.colums": 2}, 'Did you mean "grid.columns"?'),
        ({"grid.columns": "two"}, "must be a whole number from 1 to 10"),
    ):
        with pytest.raises(BadMessage) as caught:
            b.send("update_recording", options=options)
        assert sentence in str(caught.value) and str(caught.value).startswith("layout.options[")
    assert b.egress(egress_id).spec == before


async def test_pins_and_moderation_reach_who_attends_now_and_who_attends_next(bench: MakeBench) -> None:
    b = await bench()
    egress_id = b.record()
    await b.until_state(egress_id, "active")
    assert b.send("moderate_participant", user_id="bert", video="blur").changed == ["moderation"]
    assert b.send("pin", user_id="anna").egress_ids == [egress_id]
    b.send("pin", participant_session_id="p-cem")
    told = await heard(b, lambda all: len((last(all, "direct") or {}).get("directions", NOTHING)["pins"]) == 2)
    said = last(told, "direct")["directions"]
    assert [pin["user_id"] or pin["participant"] for pin in said["pins"]] == ["p-cem", "anna"]
    assert said["moderation"] == [{"user_id": "bert", "video": "blur", "audio": "keep"}]

    # The agent dies; the next one does not know what was said to the attendant, and says it again.
    known = len(ops(b.heard(), "direct"))
    await b.drop()
    await b.start()
    told = await heard(b, lambda all: len(ops(all, "direct")) > known)
    assert last(told, "direct")["directions"] == said

    os.kill(b.attendant_pid(), signal.SIGKILL)
    told = await heard(b, lambda all: len(ops(all, "attend")) == 2)
    assert last(told, "attend")["job"]["directions"] == said


async def test_what_is_said_before_anything_runs_waits_for_the_session(bench: MakeBench) -> None:
    b = await bench()
    outcome = b.send("moderate_participant", user_id="bert", video="hide", audio="silence", request_id="r1")
    assert outcome.egress_ids == [] and outcome.changed == ["moderation"]
    assert b.events()[-1]["ok"] is True
    b.record(session_id="monday")
    told = await heard(b, lambda all: bool(ops(all, "attend")))
    said = told[0]["job"]["directions"]
    assert said["moderation"] == [{"user_id": "bert", "video": "hide", "audio": "silence"}]
    # It was said of that session, not of the one after it.
    b.send("call_session_ended", session_id="monday")
    b.record(session_id="tuesday")
    told = await heard(b, lambda all: len(ops(all, "attend")) == 2)
    assert last(told, "attend")["job"]["directions"] == NOTHING


async def test_what_waited_too_long_for_a_session_is_forgotten(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directions, "WAITS_MS", 0)
    b = await bench()
    b.send("pin", user_id="anna")
    b.record()
    told = await heard(b, lambda all: bool(ops(all, "attend")))
    assert told[0]["job"]["directions"] == NOTHING


async def test_moderation_of_an_announced_session_holds_for_what_begins_in_it(bench: MakeBench) -> None:
    b = await bench()
    b.send("call_session_started", session_id="monday", connector={"type": "loopback"})
    b.send("moderate_participant", user_id="bert", video="blur", session_id="monday")
    with pytest.raises(Refused, match="session 'tuesday' of the call is not known"):
        b.send("moderate_participant", user_id="bert", video="blur", session_id="tuesday")
    b.send("start_recording", connector={"type": "loopback"})
    told = await heard(b, lambda all: bool(ops(all, "attend")))
    assert told[0]["job"]["directions"]["moderation"][0]["user_id"] == "bert"
