"""Projects: what the settings may say of servers, and what an address may say beside the name of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egress.logs import secrets_in
from workers.calls.projects import resolved
from workers.calls.rooms import room
from workers.ledger.tables import Call
from workers.messages import StartRecording, parse
from workers.observing.logs import secrets_of
from workers.refused import BadMessage
from workers.sentences import At
from workers.settings import Settings, SettingsError, load

MAIN = {"type": "livekit", "url": "wss://livekit.example", "api_key": "APImain", "api_secret": "swordfish-main"}
OLD = {"type": "janus", "url": "https://janus.example/janus", "apisecret": "swordfish-old"}
PROJECTS: dict[str, dict[str, Any]] = {"main": MAIN, "old": OLD}


def test_projects_come_from_the_file_and_their_secrets_from_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wallflower.toml").write_text(
        '[projects.main]\ntype = "livekit"\nurl = "wss://livekit.example"\napi_key = "APImain"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WALLFLOWER_PROJECTS__MAIN__API_SECRET", "swordfish-main")
    assert load().projects == {"main": MAIN}
    monkeypatch.setenv("WALLFLOWER_PROJECTS__MAIN__API_SECRET", "12345678")
    assert load().projects["main"]["api_secret"] == "12345678", "a secret of digits is a text"
    monkeypatch.setenv("WALLFLOWER_PROJECTS", json.dumps(PROJECTS))
    monkeypatch.delenv("WALLFLOWER_PROJECTS__MAIN__API_SECRET")
    assert load().projects == PROJECTS


def test_secrets_of_projects_are_neither_shown_nor_logged() -> None:
    settings = load(projects={**PROJECTS, "other": {**MAIN, "roles_key": "function"}})
    assert "swordfish" not in repr(settings) + str(settings)
    hidden = set(secrets_of(settings))
    assert {"swordfish-main", "swordfish-old", "APImain"} <= hidden
    assert "function" not in hidden, "a key under which roles are found is no secret, and may be any word"
    assert list(secrets_in(settings.projects)) == [], "they are plain texts, told apart by their names"


LIVEKIT_ONLY_ONE = "only one of token, api_key with api_secret, and project may be given"


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ({**MAIN, "type": "zoom"}, "main: connector.type 'zoom' is unknown; known are janus, livekit, loopback"),
        ({"url": "wss://livekit.example"}, "main: connector.type '' is unknown; known are janus, livekit, loopback"),
        ({**MAIN, "url": "livekit.example"}, "main.url: url must look like wss://host"),
        ({k: v for k, v in MAIN.items() if k != "url"}, "main.url: is missing"),
        ({"type": "janus"}, "main.url: is missing"),
        ({k: v for k, v in MAIN.items() if k != "api_secret"}, "main.token: api_key and api_secret belong together"),
        ({"type": "livekit", "url": MAIN["url"]}, "main.token: one of token, api_key with api_secret"),
        ({**MAIN, "token": "eyJ"}, f"main.token: {LIVEKIT_ONLY_ONE}"),
        ({**MAIN, "colour": "blue"}, "main.colour: is no known field; known are type, project, url"),
        ({"type": "livekit", "project": "old"}, "main.project: a project cannot name another one"),
    ],
)
def test_a_project_that_cannot_be_used_is_refused_with_the_settings(project: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(projects={"main": project})
    assert str(caught.value).startswith(f"settings: projects: {said}")
    assert "swordfish" not in str(caught.value)


def test_every_project_that_cannot_be_used_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load(projects={"a": {**MAIN, "room": ""}, "b": {**OLD, "poll_interval": 5}, "main": MAIN})
    assert "a.room: " in str(caught.value) and "b.poll_interval: " in str(caught.value)
    assert "main" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a.b"])
def test_names_of_projects_are_short_words(name: str) -> None:
    with pytest.raises(SettingsError, match="pattern"):
        load(projects={name: MAIN})


def test_an_address_is_laid_over_its_project() -> None:
    said = {"type": "livekit", "project": "main", "room": "standup", "roles_key": "app.roles"}
    assert resolved(said, PROJECTS) == {**MAIN, "room": "standup", "roles_key": "app.roles"}
    assert resolved({"type": "janus", "project": "old", "room": 1, "pin": "p"}, PROJECTS) == {
        **OLD,
        "room": 1,
        "pin": "p",
    }
    own = {"type": "janus", "url": "http://10.0.0.1:8088/janus", "room": 1}
    assert resolved(own, PROJECTS) == own


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"type": "livekit", "project": "mian", "room": "a"}, "project: 'mian' is no project; known are main, old"),
        ({"type": "janus", "project": "main", "room": 1}, "project: 'main' is a project of the connector livekit"),
        ({"type": "livekit", "project": 5, "room": "a"}, "project: must be the name of a project of the settings"),
        (
            {"type": "livekit", "project": "main", "room": "a", "url": "wss://evil.example"},
            "url: may not stand beside a project: what opens 'main' is for its own server alone",
        ),
        (
            {"type": "janus", "project": "old", "room": 1, "url": None},
            "url: may not stand beside a project: what opens 'old' is for its own server alone",
        ),
    ],
)
def test_an_address_that_its_project_does_not_take_is_refused_in_a_sentence(address: dict[str, Any], said: str) -> None:
    with pytest.raises(At) as caught:
        resolved(address, PROJECTS)
    assert caught.value.lines == [said]
    with pytest.raises(BadMessage) as refused:
        parse("start_recording", {"call_cid": "default:a", "connector": address}, projects=PROJECTS)
    assert str(refused.value) == f"connector.{said}"


def test_without_any_project_that_is_what_is_said() -> None:
    with pytest.raises(At) as caught:
        resolved({"type": "livekit", "project": "main", "room": "a"}, {})
    assert caught.value.lines == ["project: 'main' is no project; the worker's settings have none"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"type": "livekit", "project": "main"}, "connector.room: is missing"),
        ({"type": "livekit", "project": "main", "room": "a", "pin": "1"}, "connector.pin: is no known field"),
        ({"type": "livekit", "project": "main", "room": "a", "token": "eyJ"}, f"connector.token: {LIVEKIT_ONLY_ONE}"),
        ({"type": "janus", "project": "old", "room": -1}, "connector.room: -1 is not allowed"),
    ],
)
def test_the_rest_of_an_address_is_checked_with_its_project(address: dict[str, Any], said: str) -> None:
    with pytest.raises(BadMessage) as refused:
        parse("start_recording", {"call_cid": "default:a", "connector": address}, projects=PROJECTS)
    assert str(refused.value).startswith(said)
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize(
    "address", [{"type": "livekit", "project": "main", "room": "a"}, {"type": "janus", "project": "old", "room": 1}]
)
def test_who_sends_need_not_know_the_workers_projects(address: dict[str, Any]) -> None:
    message = parse("start_recording", {"call_cid": "default:a", "connector": address})
    assert isinstance(message, StartRecording) and message.connector == address
    with pytest.raises(BadMessage, match=r"^connector.url: may not stand beside a project"):
        parse("start_recording", {"call_cid": "default:a", "connector": {**address, "url": "wss://evil.example"}})


def test_the_template_of_a_call_type_may_name_a_project() -> None:
    template = {"type": "livekit", "project": "main", "room": "{call_id}"}
    settings = load(projects=PROJECTS, call_types={"default": {"connector": template}})
    assert room(settings, None, "default:standup") == {**template, "room": "standup"}, "and its secrets stay there"
    without = load(call_types={"default": {"connector": template}})
    with pytest.raises(BadMessage) as caught:
        room(without, None, "default:standup")
    assert str(caught.value) == (
        "call_types.default.connector.project: 'main' is no project; the worker's settings have none"
    )


def test_a_calls_own_room_whose_project_is_gone_is_refused() -> None:
    call = Call(cid="default:a", connector={"type": "livekit", "project": "gone", "room": "a"})
    with pytest.raises(BadMessage) as caught:
        room(Settings(projects=PROJECTS), call, "default:a")
    assert str(caught.value) == "the call's connector.project: 'gone' is no project; known are main, old"
