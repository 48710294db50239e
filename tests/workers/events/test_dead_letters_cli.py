"""``wallflower events``, ``events dead`` and ``events replay``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from tests.workers.events.conftest import put
from workers.cli.app import CliError, app
from workers.events.payloads import FAILED, recording_failed
from workers.keyring import keyring
from workers.ledger import outbox
from workers.ledger.database import Ledger
from workers.ledger.outbox import Buried, Step
from workers.ledger.tables import Call, DeadLetter
from workers.settings import load


@pytest.fixture
def three_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Three events: one dead at ``webhook:old``, two at ``webhook:main``; nothing is under way."""
    monkeypatch.setenv("WALLFLOWER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WALLFLOWER_EVENTS__STDOUT", "false")
    monkeypatch.setenv(
        "WALLFLOWER_EVENTS__WEBHOOKS", json.dumps([{"name": "main", "url": "https://h.example", "secret": "s"}])
    )
    settings = load()
    ledger = Ledger(settings.ledger_url, keyring(settings))
    ledger.upgrade()
    now = datetime.now(UTC)

    def write(tx: Session) -> list[str]:
        failed = [recording_failed(cid, "e", "composite", now, "it broke", "broken") for cid in ("a:1", "a:1", "b:2")]
        return [outbox.put(tx, payload, now).id for payload in failed]

    ids = ledger.write(write)
    steps = [
        Step("a:1", "webhook:old", 1, buried=[Buried(ids[0], 1, "https://h.example:443 answered 404")]),
        Step("a:1", "webhook:main", 2, buried=[Buried(ids[1], 7, "given up")]),
        Step("b:2", "webhook:main", 1, buried=[Buried(ids[2], 9, "given up")]),
    ]
    ledger.write(lambda tx: outbox.advance(tx, steps, [], now))
    return ledger


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["events", *arguments])


def lines(*arguments: str) -> list[dict[str, object]]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def waiting(ledger: Ledger) -> list[tuple[str, bool]]:
    with ledger.reading() as tx:
        return [(letter.sink, letter.replay_at is not None) for letter in tx.query(DeadLetter).order_by(DeadLetter.id)]


def test_events_are_shown_with_and_without_commands_behind(three_dead: Ledger) -> None:
    assert [line["event"]["type"] for line in lines()] == [FAILED] * 3  # type: ignore[index]
    assert [line["position"] for line in lines("--call", "a:1")] == [1, 2]
    assert "it broke" in run().stdout


def test_dead_letters_are_listed_with_their_reasons(three_dead: Ledger) -> None:
    found = lines("dead")
    assert [(one["sink"], one["attempts"], one["error"]) for one in found] == [
        ("webhook:old", 1, "https://h.example:443 answered 404"),
        ("webhook:main", 7, "given up"),
        ("webhook:main", 9, "given up"),
    ]
    assert found[0]["event"]["type"] == FAILED  # type: ignore[index]
    assert [one["id"] for one in lines("dead", "--sink", "webhook:main")] == [2, 3]
    assert [one["id"] for one in lines("dead", "--call", "b:2")] == [3]
    assert "answered 404" in run("dead").stdout


def test_replaying_by_number_by_event_by_sink_and_all(three_dead: Ledger) -> None:
    event_id = str(lines("dead")[2]["event_id"])
    done = run("replay", "2", event_id)
    assert (done.exit_code, done.stdout) == (0, "2 events will be sent again\n")
    assert waiting(three_dead) == [("webhook:old", False), ("webhook:main", True), ("webhook:main", True)]
    with three_dead.reading() as tx:
        assert tx.get_one(Call, "a:1").untold and tx.get_one(Call, "b:2").untold
    assert "to be sent again" in run("dead").stdout
    assert run("replay", "--sink", "webhook:main").stdout == "2 events will be sent again\n"
    everything = run("replay", "--all")
    assert everything.stdout == "3 events will be sent again\n"
    assert "no sink of these settings is webhook:old" in everything.stderr
    assert all(again for _, again in waiting(three_dead))


def test_what_an_old_hook_refused_can_be_sent_to_the_new_one(three_dead: Ledger) -> None:
    done = run("replay", "--sink", "webhook:old", "--to", "webhook:main")
    assert (done.exit_code, done.stderr) == (0, "")
    assert waiting(three_dead)[0] == ("webhook:main", True)


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("--all", "--sink", "x")])
def test_what_is_to_be_replayed_is_said_in_one_way(three_dead: Ledger, arguments: tuple[str, ...]) -> None:
    done = run("replay", *arguments)
    assert isinstance(done.exception, CliError)
    assert "by their numbers" in str(done.exception)


def test_letters_that_are_not_there_are_not_replayed(three_dead: Ledger) -> None:
    done = run("replay", "1", "99")
    assert isinstance(done.exception, CliError)
    assert "99" in str(done.exception)
    assert not any(again for _, again in waiting(three_dead))


def test_following_shows_what_comes_next_once(three_dead: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.cli import events

    rounds = 0

    def pause(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds > 3:
            raise KeyboardInterrupt
        put(three_dead, "c:3", rounds)

    monkeypatch.setattr(events.time, "sleep", pause)
    done = run("--follow", "--json")
    assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == [1, 2, 1, 1, 2, 3]
