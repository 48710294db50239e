"""Addresses of LiveKit rooms: what is taken, and one sentence for what is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from egress.call.connector import ConnectorError
from egress.call.livekit.address import LivekitAddress

KEY: dict[str, Any] = {"api_key": "APIkey", "api_secret": "a secret"}
GOOD: dict[str, Any] = {"type": "livekit", "url": "wss://livekit.example", "room": "standup", **KEY}
ALONE = {name: value for name, value in GOOD.items() if name not in KEY}


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        {**ALONE, "token": "eyJ.eyJ.x"},
        {"type": "livekit", "project": "main", "room": "standup"},
        {**GOOD, "room": "x" * 256, "roles_key": "app.roles", "tell_room": True, "topic": "recorder"},
        {**GOOD, "url": "http://10.0.0.1:7880/livekit"},
    ],
)
def test_an_address_of_a_room_is_taken(given: dict[str, Any]) -> None:
    address = LivekitAddress.model_validate(given)
    assert (address.type, address.room) == ("livekit", given["room"])


@pytest.mark.parametrize(
    ("url", "ws", "http"),
    [
        ("wss://livekit.example", "wss://livekit.example", "https://livekit.example"),
        ("https://livekit.example/", "wss://livekit.example", "https://livekit.example"),
        ("ws://10.0.0.1:7880", "ws://10.0.0.1:7880", "http://10.0.0.1:7880"),
        ("HTTP://10.0.0.1:7880/a/b/", "ws://10.0.0.1:7880/a/b", "http://10.0.0.1:7880/a/b"),
        ("wss://bücher.example", "wss://bücher.example", "https://bücher.example"),
        ("ws://[fd00::1]:7880", "ws://[fd00::1]:7880", "http://[fd00::1]:7880"),
    ],
)
def test_signalling_and_api_are_at_the_same_host_whatever_scheme_is_given(url: str, ws: str, http: str) -> None:
    address = LivekitAddress.model_validate({**GOOD, "url": url})
    assert (address.ws_url, address.http_url) == (ws, http)


def test_what_is_not_said_is_as_documented() -> None:
    address = LivekitAddress.model_validate(GOOD)
    assert (address.roles_key, address.tell_room, address.topic) == ("roles", False, "wallflower")


LOOKS = "url must look like wss://host, ws://host:7880, https://host or http://host:7880"
ONE_OF = "one of token, api_key with api_secret, and project must be given"
ONLY_ONE = "only one of token, api_key with api_secret, and project may be given"


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({**GOOD, "url": "ftp://livekit.example"}, "url", LOOKS),
        ({**GOOD, "url": "livekit.example"}, "url", LOOKS),
        ({**GOOD, "url": "wss://"}, "url", LOOKS),
        ({**GOOD, "url": "wss://a host"}, "url", LOOKS),
        ({**GOOD, "url": "wss://xn--a"}, "url", LOOKS),
        ({**GOOD, "url": "wss://livekit.example/\n"}, "url", LOOKS),
        ({**GOOD, "url": "wss://me:hush@livekit.example"}, "url", "url must not carry a user name or password"),
        ({**GOOD, "url": "wss://livekit.example?a=b"}, "url", "url must end with its path"),
        ({**GOOD, "url": "wss://livekit.example#a"}, "url", "url must end with its path"),
        ({**GOOD, "url": "wss://livekit.example:99999"}, "url", "Port out of range"),
        (
            {"type": "livekit", "room": "a", **KEY},
            "url",
            "is missing; only where a project is named may it be left out",
        ),
        ({**ALONE}, "token", ONE_OF),
        ({**GOOD, "token": "eyJ"}, "token", ONLY_ONE),
        ({**GOOD, "project": "main"}, "token", ONLY_ONE),
        ({**ALONE, "project": "main", "token": "eyJ"}, "token", ONLY_ONE),
        ({**ALONE, "api_key": "APIkey"}, "token", "api_key and api_secret belong together"),
        ({**ALONE, "api_secret": "a secret"}, "token", "api_key and api_secret belong together"),
        ({**ALONE, "token": "eyJ", "api_key": "APIkey"}, "token", "api_key and api_secret belong together"),
        ({**GOOD, "room": ""}, "room", "at least 1 character"),
        ({**GOOD, "room": "x" * 257}, "room", "at most 256 characters"),
        ({**GOOD, "room": 5}, "room", "valid string"),
        ({**GOOD, "api_secret": ""}, "api_secret", "at least 1 item"),
        ({**GOOD, "topic": ""}, "topic", "at least 1 character"),
        ({**GOOD, "roles_key": ""}, "roles_key", "at least 1 character"),
        ({**GOOD, "tell_room": "perhaps"}, "tell_room", "valid boolean"),
        ({**GOOD, "pin": "1234"}, "pin", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_address_is_refused_with_one_sentence(given: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LivekitAddress.model_validate(given)
    (error,) = refused.value.errors()
    assert error["loc"] == (field,)
    assert sentence in error["msg"]
    assert "secret'" not in str(error["msg"])


def test_secrets_are_not_shown() -> None:
    with_key = LivekitAddress.model_validate({**GOOD, "api_secret": "swordfish"})
    with_token = LivekitAddress.model_validate({**ALONE, "token": "swordfish"})
    for address in (with_key, with_token):
        assert "swordfish" not in repr(address) + address.model_dump_json()


def test_a_project_that_nobody_looked_up_leads_nowhere() -> None:
    address = LivekitAddress.model_validate({"type": "livekit", "project": "main", "room": "standup"})
    for url in ("ws_url", "http_url"):
        with pytest.raises(ConnectorError) as refused:
            getattr(address, url)
        assert refused.value.code == "unknown_project"
        assert str(refused.value) == (
            "the address names the project 'main', which only the settings of a worker know: "
            "give url, api_key and api_secret"
        )
