"""What messages do and what they are answered, in a real ledger: what is wanted, what is told, once each."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.workers.conftest import CALL, CONNECTOR, make_settings
from workers.calls.automatic import automatic
from workers.calls.settings import effective
from workers.calls.shown import egress_response, sessions_of
from workers.carry_out import Outcome, carry_out
from workers.keyring import keyring
from workers.ledger import lifecycle, wishes
from workers.ledger.database import Ledger
from workers.ledger.states import State
from workers.ledger.tables import Call, CallSession, Egress, Event
from workers.refused import Refused
from workers.settings import Settings

NOW = int(time.time() * 1000) - 60_000


class Backend:
    """A call backend and the ledger that its messages come to. Messages are sent one after another, a second apart."""

    languages: frozenset[str] = frozenset()
    """Those that the speech engine understands."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings))
        self.ledger.upgrade()
        self._numbers = itertools.count(1)

    def send(self, message_type: str, at: int | None = None, message_id: str | None = None, **fields: Any) -> Outcome:
        number = next(self._numbers)
        payload = {"call_cid": CALL, **fields}
        sent = NOW + 1000 * (number if at is None else at)
        return carry_out(
            self.ledger, self.settings, message_type, payload, message_id or f"m{number}", sent, self.languages
        )

    def refused(self, message_type: str, **fields: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            self.send(message_type, **fields)
        return caught.value

    def events(self, type_: str | None = None) -> list[dict[str, Any]]:
        with self.ledger.reading() as tx:
            found = [event.payload for event in tx.scalars(select(Event).order_by(Event.seq))]
        return [event for event in found if type_ is None or event["type"] == type_]

    def answers(self) -> list[dict[str, Any]]:
        return self.events("egress.request_answered")

    def egresses(self) -> dict[str, Egress]:
        with self.ledger.reading() as tx:
            return {e.id: e for e in tx.scalars(select(Egress).order_by(Egress.created_at, Egress.id))}

    def sessions(self) -> dict[str, CallSession]:
        with self.ledger.reading() as tx:
            return {s.id: s for s in tx.scalars(select(CallSession).order_by(CallSession.created_at))}

    def call(self) -> Call:
        with self.ledger.reading() as tx:
            return tx.get_one(Call, CALL)

    def move(self, egress_id: str, *states: State) -> None:
        with self.ledger.writing() as tx:
            for state in states:
                lifecycle.move(tx.get_one(Egress, egress_id), state, datetime.now(UTC))

    def automatic(self, session_id: str) -> list[wishes.Wish]:
        with self.ledger.reading() as tx:
            return automatic(self.settings, tx, tx.get_one(CallSession, session_id))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    one = Backend(
        make_settings(
            tmp_path / "data",
            stores=[{"name": "archive", "storage_type": "s3", "bucket": "films"}],
            call_types={"closed": {"settings": {"recording": {"mode": "disabled"}}}},
        )
    )
    yield one
    one.ledger.close()


def start(backend: Backend, egress_id: str = "e1", **fields: Any) -> Outcome:
    return backend.send("start_recording", egress_id=egress_id, connector=CONNECTOR, **fields)


def test_a_start_and_a_stop_are_answered(backend: Backend) -> None:
    start(backend, request_id="r1")
    backend.send("stop_recording", request_id="r2")
    first, second = backend.answers()
    assert {k: v for k, v in first.items() if k != "created_at"} == {
        "type": "egress.request_answered",
        "call_cid": CALL,
        "request_id": "r1",
        "ok": True,
        "egress_ids": ["e1"],
    }
    assert (second["request_id"], second["ok"], second["egress_ids"]) == ("r2", True, ["e1"])
    assert backend.egresses()["e1"].desired == "stop"


def test_a_message_without_a_request_id_is_not_answered(backend: Backend) -> None:
    start(backend)
    backend.refused("stop_recording", egress_id="nobody")
    assert backend.answers() == []


def test_stopping_what_does_not_run_is_refused(backend: Backend) -> None:
    said = backend.refused("stop_recording", request_id="r1")
    assert (said.code, said.name, str(said)) == (404, "Not Found", "recording not running")
    (answer,) = backend.answers()
    assert answer["ok"] is False
    assert answer["error"] == {"code": 404, "name": "Not Found", "message": "recording not running"}


def test_a_style_sheet_at_a_private_address_is_refused(backend: Backend) -> None:
    layout = {"name": "grid", "external_css_url": "http://192.168.1.1/admin.css"}
    said = backend.refused("start_recording", connector=CONNECTOR, recording={"layout": layout})
    assert (said.code, str(said)) == (
        400,
        "recording.layout.external_css_url: 192.168.1.1 is at an address that is private, local or reserved; "
        "guard.allow_private names the networks that are allowed all the same",
    )
    layout["external_css_url"] = "https://styles.example/wall.css"
    [egress_id] = backend.send("start_recording", connector=CONNECTOR, recording={"layout": layout}).egress_ids
    assert backend.egresses()[egress_id].spec["layout"]["external_css_url"] == "https://styles.example/wall.css"


def test_a_second_recording_is_refused_with_the_id_of_the_first(backend: Backend) -> None:
    start(backend)
    said = backend.refused("start_recording", egress_id="e2", connector=CONNECTOR, request_id="r2")
    assert (said.code, said.egress_id) == (409, "e1")
    (answer,) = backend.answers()
    assert answer["error"]["name"] == "Conflict" and "e1" in answer["error"]["message"]
    assert (answer["egress_id"], answer["egress_ids"]) == ("e1", [])
    assert list(backend.egresses()) == ["e1"]
    assert backend.events("call.recording_failed") == []


def test_a_message_that_comes_twice_changes_nothing_and_is_answered_once(backend: Backend) -> None:
    for _ in range(2):
        backend.send("start_recording", at=1, message_id="same", connector=CONNECTOR, request_id="r1")
    assert len(backend.egresses()) == 1
    assert [a["ok"] for a in backend.answers()] == [True]
    again = start(backend, next(iter(backend.egresses())), request_id="r2")
    assert not again.created
    assert [(a["request_id"], a["ok"]) for a in backend.answers()] == [("r1", True), ("r2", True)]


def test_a_repeated_start_is_ok_also_when_the_recording_is_over(backend: Backend) -> None:
    start(backend)
    backend.move("e1", State.STARTING, State.ACTIVE, State.STOPPING, State.FINALIZING, State.COMPLETE)
    assert not start(backend, request_id="r1").created
    assert backend.answers()[0]["ok"] is True
    assert backend.egresses()["e1"].state == "complete"


def test_a_bad_start_fails_and_is_answered(backend: Backend) -> None:
    said = backend.refused("start_recording", connector={"type": "zoom"}, request_id="r1", egress_id="e1")
    assert said.code == 400
    failed, answer = backend.events()
    assert (failed["type"], failed["egress_id"], failed["error_code"]) == ("call.recording_failed", "e1", "bad_message")
    assert answer["error"]["message"] == failed["error"]
    assert answer["error"]["message"].startswith("connector.type: 'zoom' is no connector")


def test_a_message_that_names_no_call_is_answered_all_the_same(backend: Backend) -> None:
    for cid in ("nonsense", 5):
        backend.refused("stop_recording", call_cid=cid, request_id=f"r-{cid}")
    answers = backend.answers()
    assert [a.get("call_cid") for a in answers] == [None, None]
    assert [a["error"]["code"] for a in answers] == [400, 400]


@pytest.mark.parametrize("request_id", [5, "", "x" * 129, "a\0b", "\ud800"])
def test_a_request_id_that_cannot_be_told_is_refused_without_an_answer(backend: Backend, request_id: Any) -> None:
    assert backend.refused("stop_recording", request_id=request_id).code == 400
    assert backend.events() == []


def test_disabled_recording_refuses_whatever_the_message_says(backend: Backend) -> None:
    said = backend.refused(
        "start_recording",
        call_cid="closed:a",
        connector=CONNECTOR,
        recording={"mode": "available", "quality": "360p"},
        request_id="r1",
    )
    assert (said.code, said.name) == (403, "Forbidden")
    assert backend.answers()[0]["error"]["code"] == 403
    assert backend.events("call.recording_failed")[0]["error_code"] == "recording_disabled"
    backend.send("update_call", call_cid="closed:a", settings={"recording": {"mode": "available"}})
    assert backend.send("start_recording", call_cid="closed:a", connector=CONNECTOR).created


def test_an_update_tells_what_it_changed(backend: Backend) -> None:
    changed = backend.send(
        "update_call",
        settings={"limits": {"max_duration_seconds": 60}, "recording": {"mode": "auto-on", "quality": "720p"}},
        external_storage="archive",
        connector=CONNECTOR,
        request_id="r1",
    ).changed
    assert changed == ["limits.max_duration_seconds", "recording.mode", "external_storage", "connector"]
    (answer,) = backend.answers()
    assert answer["changed"] == changed and "room" not in str(answer)
    again = backend.send("update_call", settings={"limits": {"max_duration_seconds": 60}}, request_id="r2")
    assert again.changed == [] and backend.answers()[1]["changed"] == []
    backend.send("update_call", settings={"limits": {"max_duration_seconds": 120}})
    call = backend.call()
    found = effective(backend.settings, call, CALL)
    assert (found.limits.max_duration_seconds, found.recording.mode) == (120, "auto-on")
    assert call.external_storage == "archive" and call.connector == CONNECTOR
    assert call.updated_at is not None


def test_an_update_with_an_unknown_store_changes_nothing(backend: Backend) -> None:
    said = backend.refused("update_call", external_storage="attic", settings={"recording": {"mode": "auto-on"}})
    assert str(said) == "external_storage: 'attic' is no storage; known are local, archive"
    assert effective(backend.settings, None, CALL).recording.mode == "available"
    with backend.ledger.reading() as tx:
        assert tx.get(Call, CALL) is None


def test_null_takes_back_what_was_said_of_a_call(backend: Backend) -> None:
    backend.send("update_call", external_storage="archive", connector=CONNECTOR)
    assert backend.send("update_call", external_storage=None, connector=None).changed == [
        "external_storage",
        "connector",
    ]
    assert (backend.call().external_storage, backend.call().connector) == (None, None)


def test_a_start_takes_the_calls_settings_and_its_own_over_them(backend: Backend) -> None:
    layout = {"name": "spotlight", "options": {"grid.columns": 2}}
    backend.send(
        "update_call",
        settings={"recording": {"mode": "available", "quality": "1080p", "layout": layout}},
        external_storage="archive",
        connector=CONNECTOR,
    )
    backend.send("start_recording", egress_id="plain")
    plain = backend.egresses()["plain"]
    assert (plain.spec["quality"], plain.spec["layout"]["name"], plain.storage) == ("1080p", "spotlight", "archive")
    assert plain.spec["layout"]["options"] == {"grid.columns": 2}
    assert backend.sessions()[plain.session_id].connector == CONNECTOR
    backend.send("stop_recording")
    backend.send(
        "start_recording",
        egress_id="own",
        recording={"mode": "available", "layout": {"name": "grid"}},
        recording_external_storage="local",
    )
    own = backend.egresses()["own"]
    assert (own.spec["quality"], own.spec["layout"]["name"], own.storage) == ("1080p", "grid", "local")
    assert own.spec["layout"]["options"] == {}


def test_a_start_without_an_address_joins_the_session_where_it_is(backend: Backend) -> None:
    start(backend)
    backend.send("stop_recording")
    backend.send("start_recording", egress_id="e2")
    first, second = backend.egresses().values()
    assert first.session_id == second.session_id
    assert backend.refused("start_recording", call_cid="default:other").code == 400


def test_an_announced_session_is_watched_and_ended(backend: Backend) -> None:
    outcome = backend.send("call_session_started", session_id="s1", connector=CONNECTOR, request_id="r1")
    assert outcome.created
    (session,) = backend.sessions().values()
    assert (session.id, session.announced, session.connector) == ("s1", True, CONNECTOR)
    assert not backend.send("call_session_started", session_id="s1", request_id="r2").created
    start(backend, session_id="s1")
    assert backend.send("call_session_ended", session_id="s1", request_id="r3").egress_ids == ["e1"]
    assert backend.sessions()["s1"].end_reason == "session_ended"
    assert backend.egresses()["e1"].desired == "stop"
    assert [a["ok"] for a in backend.answers()] == [True, True, True]
    said = backend.refused("start_recording", session_id="s1", connector=CONNECTOR)
    assert (said.code, str(said)) == (409, "session 's1' of the call is over: session_ended")
    assert backend.refused("call_session_started", session_id="s1").code == 409


def test_a_later_session_takes_the_place_of_the_one_before(backend: Backend) -> None:
    backend.send("call_session_started", session_id="s1", connector=CONNECTOR)
    backend.send("call_session_started", session_id="s2")
    assert {s.id: s.end_reason for s in backend.sessions().values()} == {"s1": "superseded", "s2": None}


def test_an_end_of_a_session_that_nobody_knows_is_not_found(backend: Backend) -> None:
    assert backend.refused("call_session_ended", session_id="s1").code == 404
    assert backend.refused("call_session_ended").code == 404


def test_the_hosted_platforms_event_starts_what_is_auto_on(backend: Backend) -> None:
    event: dict[str, Any] = {
        "type": "call.session_started",
        "created_at": "2026-01-02T03:04:05Z",
        "session_id": "hosted-1",
        "call": {"settings": {"recording": {"mode": "auto-on", "quality": "360p", "audio_only": False}, "new": {}}},
    }
    backend.send("update_call", connector=CONNECTOR)
    backend.send("call_session_started", **event)
    (wish,) = backend.automatic("hosted-1")
    assert (wish.auto, wish.session_id, wish.spec["quality"], wish.storage) == (True, "hosted-1", "360p", "local")


def test_two_workers_that_want_the_same_automatic_recording_make_one(backend: Backend) -> None:
    backend.send(
        "call_session_started",
        session_id="s1",
        connector=CONNECTOR,
        settings={"recording": {"mode": "auto-on"}},
    )
    (one,), (other,) = backend.automatic("s1"), backend.automatic("s1")
    now = datetime.now(UTC)

    def want(wish: wishes.Wish) -> wishes.Written:
        return backend.ledger.write(lambda tx: wishes.want(tx, wish, now))

    written = [want(one), want(other)]
    assert [w.created for w in written] == [True, False]
    assert backend.egresses()[one.egress_id].auto
    backend.move(one.egress_id, State.STARTING, State.ACTIVE, State.STOPPING, State.FINALIZING, State.COMPLETE)
    (later,) = backend.automatic("s1")
    assert later.egress_id != one.egress_id


def test_what_is_not_made_is_warned_of_once(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"raw_recording": {"mode": "auto-on"}, "broadcasting": {"hls": {"auto_on": True}}}
    backend.send("call_session_started", session_id="s1", connector=CONNECTOR, settings=settings)
    for _ in range(3):
        assert backend.automatic("s1") == []
    warned = [r.getMessage() for r in caplog.records if "auto-on" in r.getMessage()]
    assert sorted(m.split(": ")[1].split(" is ")[0] for m in warned) == [
        "broadcasting.hls.auto_on",
        "raw_recording.mode",
    ]


def test_stop_all_ends_everything_of_a_call_or_a_session(backend: Backend) -> None:
    start(backend, "e1", session_id="s1")
    start(backend, "e9", call_cid="default:other")
    assert backend.send("stop_all", session_id="s2").egress_ids == []
    assert backend.send("stop_all", request_id="r1").egress_ids == ["e1"]
    assert backend.answers()[0]["egress_ids"] == ["e1"]
    assert {e.id: e.desired for e in backend.egresses().values()} == {"e1": "stop", "e9": "run"}


def test_a_stop_taken_before_the_start_that_was_sent_before_it_wins(backend: Backend) -> None:
    assert backend.refused("stop_recording", at=2).code == 404
    outcome = backend.send("start_recording", at=1, egress_id="e1", connector=CONNECTOR, request_id="r1")
    assert outcome.egress_ids == ["e1"]
    egress = backend.egresses()["e1"]
    assert (egress.state, egress.desired) == ("aborted", "stop")
    assert backend.sessions()[egress.session_id].ended_at is not None
    assert [e["type"] for e in backend.events()] == ["call.recording_failed", "egress.request_answered"]
    assert backend.send("start_recording", at=3, egress_id="e2", connector=CONNECTOR).created
    assert backend.egresses()["e2"].state == "pending"


def test_a_stop_taken_after_the_start_that_was_sent_after_it_stops_only_what_was_before(backend: Backend) -> None:
    backend.send("start_recording", at=3, egress_id="later", connector=CONNECTOR)
    assert backend.refused("stop_recording", at=2).code == 404
    assert backend.egresses()["later"].desired == "run"
    backend.send("stop_recording", at=4)
    assert backend.egresses()["later"].desired == "stop"


def test_a_sender_whose_clock_is_ahead_stops_nothing_to_come(backend: Backend) -> None:
    tomorrow = int((time.time() + 86_400) * 1000)
    with pytest.raises(Refused):
        carry_out(backend.ledger, backend.settings, "stop_recording", {"call_cid": CALL}, "ahead", tomorrow)
    time.sleep(0.01)
    payload = {"call_cid": CALL, "connector": CONNECTOR, "egress_id": "e1"}
    carry_out(backend.ledger, backend.settings, "start_recording", payload, "now", int(time.time() * 1000))
    assert backend.egresses()["e1"].state == "pending"


def test_sessions_taken_in_the_wrong_order_end_as_they_were_sent(backend: Backend) -> None:
    assert backend.refused("call_session_ended", at=2, session_id="s1").code == 404
    said = backend.refused("call_session_started", at=1, session_id="s1", connector=CONNECTOR)
    assert (said.code, "a later message ended it" in str(said)) == (409, True)
    assert backend.sessions() == {}
    backend.send("call_session_started", at=4, session_id="s3", connector=CONNECTOR)
    assert backend.refused("call_session_started", at=3, session_id="s2", connector=CONNECTOR).code == 409
    assert backend.sessions()["s3"].end_reason is None


def test_updates_taken_in_the_wrong_order_leave_the_later_word(backend: Backend) -> None:
    backend.send("update_call", at=2, settings={"limits": {"max_duration_seconds": 200}}, external_storage="archive")
    backend.send("update_call", at=1, settings={"limits": {"max_duration_seconds": 100}}, external_storage="local")
    call = backend.call()
    assert effective(backend.settings, call, CALL).limits.max_duration_seconds == 200
    assert call.external_storage == "archive"


def test_the_documented_egress_response_is_made_of_the_ledger(backend: Backend) -> None:
    def response() -> dict[str, Any]:
        with backend.ledger.reading() as tx:
            return egress_response(tx, CALL)

    assert response() == {"broadcasting": False, "rtmps": []}
    start(backend)
    assert response() == {"broadcasting": False, "composite_recording": {"status": "pending"}, "rtmps": []}
    backend.move("e1", State.STARTING, State.ACTIVE)
    assert response()["composite_recording"] == {"status": "active"}
    backend.move("e1", State.STOPPING, State.FINALIZING, State.COMPLETE)
    assert response() == {"broadcasting": False, "rtmps": []}


def test_the_timer_ends_so_long_after_the_first_join(backend: Backend) -> None:
    backend.send("call_session_started", session_id="s1", connector=CONNECTOR)
    backend.send("update_call", settings={"limits": {"max_duration_seconds": 90}})
    joined = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with backend.ledger.writing() as tx:
        tx.get_one(CallSession, "s1").first_join_at = joined
    with backend.ledger.reading() as tx:
        (fact,) = sessions_of(tx, CALL, effective(backend.settings, tx.get(Call, CALL), CALL))
        assert fact.timer_ends_at is not None and (fact.timer_ends_at - joined).total_seconds() == 90.0
