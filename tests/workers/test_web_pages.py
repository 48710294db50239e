"""Messages about web pages in a real ledger: what is wanted of whom, what is refused, what is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from egress.protocol.recordings import CompositeRecording
from tests.workers.conftest import CONNECTOR, make_settings
from tests.workers.test_answers import Backend
from workers.ledger import lifecycle
from workers.ledger.tables import Egress

PAGE = "https://wall.example/status?k=1"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    one = Backend(make_settings(tmp_path / "data"))
    yield one
    one.ledger.close()


def spec(egress: Egress) -> CompositeRecording:
    return CompositeRecording.model_validate({**egress.spec, "egress_id": egress.id})


def test_a_page_of_no_call_is_recorded_without_a_room_and_told_nothing(backend: Backend) -> None:
    backend.send("start_web_recording", egress_id="w1", page_url=PAGE, quality="1080p")
    egress = backend.egresses()["w1"]
    assert (egress.kind, egress.recording_type) == ("web_recording", "web")
    (session,) = backend.sessions().values()
    assert session.connector == {"type": "page"}
    page = spec(egress).page
    assert page is not None
    assert (page.url, page.app, page.token, page.await_start, page.webrtc) == (PAGE, False, None, False, True)
    assert page.max_duration == 14_400
    assert spec(egress).quality.size == (1920, 1080)


def test_a_layout_makes_the_page_an_app_that_is_told_what_the_message_says(backend: Backend) -> None:
    backend.send(
        "start_web_recording",
        egress_id="w1",
        page_url=PAGE,
        layout={"name": "mine", "options": {"anything": [1, 2]}},
        app={"token": "t", "url": "wss://sfu.example", "user_id": "u"},
        await_start_signal=True,
        max_duration_seconds=60,
        audio_only=True,
    )
    made = spec(backend.egresses()["w1"])
    assert made.page is not None
    assert (made.page.app, made.page.token, made.page.server_url) == (True, "t", "wss://sfu.example")
    assert (made.page.user_id, made.page.await_start, made.page.max_duration) == ("u", True, 60)
    assert (made.layout.name, made.layout.options) == ("mine", {"anything": [1, 2]})
    assert made.quality.size == (0, 0)


def test_a_layout_with_an_app_is_a_recording_of_that_app_in_the_call_it_belongs_to(backend: Backend) -> None:
    layout = {"name": "custom", "external_app_url": PAGE, "options": {"theme": "dark"}}
    backend.send(
        "start_recording", egress_id="e1", connector=CONNECTOR, recording={"layout": layout}, app={"token": "t"}
    )
    egress = backend.egresses()["e1"]
    assert (egress.kind, egress.recording_type) == ("composite_recording", "composite")
    page = spec(egress).page
    assert page is not None
    assert (page.url, page.app, page.token, page.max_duration) == (PAGE, True, "t", None)


def test_what_lets_an_app_in_lies_sealed_in_the_ledger(backend: Backend, tmp_path: Path) -> None:
    backend.send("start_web_recording", page_url=PAGE, layout={}, app={"token": "a-token-to-be-found"})
    backend.ledger.close()
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"a-token-to-be-found" not in path.read_bytes(), path


def test_a_web_recording_runs_beside_one_of_the_call_and_each_is_stopped_by_its_own_message(backend: Backend) -> None:
    backend.send("start_recording", egress_id="e1", connector=CONNECTOR)
    backend.send("start_web_recording", egress_id="w1", page_url=PAGE)
    assert len(backend.sessions()) == 1, "it is kept with the session that is open"
    said = backend.refused("start_web_recording", egress_id="w2", page_url=PAGE)
    assert (said.code, said.egress_id) == (409, "w1")
    assert backend.send("stop_web_recording").egress_ids == ["w1"]
    assert {id_: egress.desired for id_, egress in backend.egresses().items()} == {"e1": "run", "w1": "stop"}
    backend.send("start_web_recording", egress_id="w3", page_url=PAGE)
    assert backend.send("stop_recording").egress_ids == ["e1"]
    assert backend.egresses()["w3"].desired == "run"
    assert backend.send("stop_all").egress_ids == ["e1", "w1", "w3"]


def test_stopping_a_web_recording_that_does_not_run_is_refused(backend: Backend) -> None:
    said = backend.refused("stop_web_recording")
    assert (said.code, str(said)) == (404, "web recording not running")


def test_events_call_it_composite_as_whoever_takes_them_knows_no_other_word(backend: Backend) -> None:
    backend.send("start_web_recording", egress_id="w1", page_url=PAGE)
    now = datetime.now(UTC)
    with backend.ledger.writing() as tx:
        egress = tx.get_one(Egress, "w1")
        lifecycle.starting(egress, now)
        lifecycle.started(tx, egress, now, now)
        lifecycle.failed(tx, egress, "page_crashed", "the page crashed", now)
    told = [(event["type"], event["recording_type"]) for event in backend.events()]
    assert told == [("call.recording_started", "composite"), ("call.recording_failed", "composite")]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("start_web_recording", {}, "page_url: is missing"),
    ("start_web_recording", {"page_url": "file:///etc/passwd"}, "page_url: a URL of the scheme 'file' is not allowed"),
    ("start_web_recording", {"page_url": "https://u:p@a.example/"}, "must not hold a user or a password"),
    ("start_web_recording", {"page_url": "http://169.254.169.254/"}, "page_url: 169.254.169.254 is at an address"),
    ("start_web_recording", {"page_url": "http://[::1]:80/"}, "page_url: ::1 is at an address that is private"),
    ("start_web_recording", {"page_url": PAGE, "quality": "8k"}, "quality: '8k' is not allowed"),
    ("start_web_recording", {"page_url": PAGE, "max_duration_seconds": 0}, "max_duration_seconds: "),
    ("start_web_recording", {"page_url": PAGE, "app": {"tokens": "x"}}, "app.tokens: is no known field"),
    (
        "start_recording",
        {"recording": {"layout": {"name": "custom", "external_app_url": "http://10.0.0.1/"}}},
        "recording.layout.external_app_url: 10.0.0.1 is at an address",
    ),
]


@pytest.mark.parametrize(("type_", "fields", "sentence"), REFUSED)
def test_pages_that_cannot_be_recorded_are_refused_in_words(
    backend: Backend, type_: str, fields: dict[str, Any], sentence: str
) -> None:
    said = backend.refused(type_, connector=CONNECTOR, **fields)
    assert said.code == 400
    assert sentence in str(said)
    assert [event["type"] for event in backend.events()] == ["call.recording_failed"]
