from typing import Any

import pytest
from pydantic import ValidationError

from egress.call.janus.address import JanusAddress

GOOD: dict[str, Any] = {"type": "janus", "url": "http://10.0.0.1:8088/janus", "room": 1234}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"url": "wss://janus.example/ws"},
        {"room": 0},
        {"room": "daily-stand-up"},
        {"pin": "p", "secret": "s", "token": "t", "apisecret": "a"},
        {"poll_interval": 1.0},
        {"display_pattern": r"(?P<user_id>\d+) (?P<name>.*)"},
    ],
)
def test_an_address_of_a_room_is_taken(change: dict[str, Any]) -> None:
    assert JanusAddress.model_validate(GOOD | change).type == "janus"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://10.0.0.1/janus"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://me:password@10.0.0.1/janus"}, "url"),
        ({"url": "http://10.0.0.1:99999/janus"}, "url"),
        ({"url": "http://10.0.0.1/janus?x=1"}, "url"),
        ({"room": -1}, "room"),
        ({"room": ""}, "room"),
        ({"room": 1 << 63}, "room"),
        ({"room": None}, "room"),
        ({"room": True}, "room"),
        ({"pin": ""}, "pin"),
        ({"poll_interval": 1.1}, "poll_interval"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"display_pattern": "("}, "display_pattern"),
        ({"display_pattern": "(?P<shoe_size>.*)"}, "display_pattern"),
        ({"display_pattern": "(?P<roles>.*)"}, "display_pattern"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_address_is_refused_by_the_name_of_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        JanusAddress.model_validate(GOOD | change)

    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_secrets_are_not_shown() -> None:
    address = JanusAddress.model_validate(GOOD | {"pin": "swordfish", "apisecret": "tuna"})

    assert "swordfish" not in repr(address) + address.model_dump_json()
    assert "tuna" not in repr(address) + address.model_dump_json()
    assert address.credentials == {"pin": "swordfish"}
