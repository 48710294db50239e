"""Access tokens: ours ask for nothing that is not needed, and those of others are looked at before they are used."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import jwt
import pytest

from egress.call.connector import ConnectorError
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.token import API_TTL, TTL, api_token, check_ready, join_token, longer

SECRET = "a secret of as many characters as PyJWT would have for any hash there is"
ROOM = "standup"
HIDDEN = {"room": ROOM, "roomJoin": True, "hidden": True}


def address(**fields: Any) -> LivekitAddress:
    fields = fields or {"api_key": "APIkey", "api_secret": SECRET}
    return LivekitAddress.model_validate({"type": "livekit", "url": "wss://livekit.example", "room": ROOM, **fields})


def ready(claims: dict[str, Any] | None = None, algorithm: str = "HS256", **grants: Any) -> str:
    """A token that somebody else made."""
    whole = {"iss": "APIother", "sub": "recorder", "exp": int(time.time()) + 86_400, "video": {**HIDDEN, **grants}}
    return jwt.encode({**whole, **(claims or {})}, SECRET if algorithm != "none" else "", algorithm)


def claims(token: str) -> dict[str, Any]:
    """As the server reads it, signature and expiry included."""
    found: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"])
    return found


def test_our_token_asks_to_join_hidden_and_to_listen_and_for_nothing_else() -> None:
    found = claims(join_token(address(), "wallflower-1", recorder=False))
    lasts = found.pop("exp") - time.time()
    assert TTL - 5 < lasts <= TTL
    assert found == {
        "iss": "APIkey",
        "sub": "wallflower-1",
        "video": {
            "room": ROOM,
            "roomJoin": True,
            "hidden": True,
            "canSubscribe": True,
            "canPublish": False,
            "canPublishData": False,
            "canUpdateOwnMetadata": False,
        },
    }


def test_our_token_is_a_recorders_only_where_something_is_recorded() -> None:
    assert claims(join_token(address(), "w", recorder=True))["video"]["recorder"] is True
    assert "recorder" not in claims(join_token(address(), "w", recorder=False))["video"]


def test_a_token_lasts_from_the_time_that_is_given() -> None:
    token = join_token(address(), "w", recorder=False, now=1_000_000.0)
    assert jwt.decode(token, options={"verify_signature": False})["exp"] == 1_000_000 + TTL


def test_a_short_secret_signs_as_the_server_checks_it() -> None:
    # livekit-server --dev has the secret "secret"; PyJWT would warn of it.
    token = join_token(address(api_key="devkey", api_secret="secret"), "w", recorder=False)
    head, body, signature = token.split(".")
    expected = hmac.digest(b"secret", f"{head}.{body}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == expected


def test_the_token_for_the_api_is_for_one_room_and_cannot_join() -> None:
    found = claims(api_token(address(), room="other"))
    assert found["exp"] - time.time() <= API_TTL
    assert found["video"] == {"room": "other", "roomAdmin": True, "roomList": True}


def test_a_ready_token_is_used_as_it_is() -> None:
    token = ready(canSubscribe=True)
    assert join_token(address(token=token), "another name", recorder=True) == token
    admin = ready(roomAdmin=True)
    assert api_token(address(token=admin), room=ROOM) == admin


def test_a_ready_token_need_not_say_that_it_may_subscribe_nor_when_it_expires() -> None:
    check_ready(ready({"exp": None}), ROOM)
    check_ready(ready(), ROOM)


@pytest.mark.parametrize(
    ("token", "code", "sentence"),
    [
        (
            ready({"exp": 1_767_225_600}),
            "token_expired",
            "the token expired at 2026-01-01 00:00:00 UTC: give a fresh one",
        ),
        (
            ready(room="retro"),
            "token_not_for_room",
            "the token is for room 'retro', not for room 'standup'",
        ),
        (ready(room=None), "token_not_for_room", "the token is for no room by name, not for room 'standup'"),
        (
            ready(canSubscribe=False),
            "token_cannot_subscribe",
            "the token may not receive anything: canSubscribe is false in it",
        ),
        (ready(roomJoin=False), "token_cannot_join", "the token may not join a room: it needs roomJoin"),
        (ready({"video": "all"}), "token_cannot_join", "the token may not join a room: it needs roomJoin"),
        (ready(hidden=False), "token_not_hidden", "everybody would see us with this token: it needs hidden"),
        (ready(hidden="yes"), "token_not_hidden", "everybody would see us with this token: it needs hidden"),
        ("swordfish", "token_invalid", "the token is no access token of LiveKit (a JWT)"),
        ("a.b.c", "token_invalid", "the token is no access token of LiveKit (a JWT)"),
        (ready(algorithm="HS512"), "token_invalid", "the token is not signed with HS256, as LiveKit wants it"),
        (ready(algorithm="none"), "token_invalid", "the token is not signed with HS256, as LiveKit wants it"),
        (ready({"sub": ""}), "token_invalid", "the token names no identity (sub), which LiveKit asks for"),
    ],
)
def test_a_ready_token_that_would_not_do_is_refused_with_the_cause(token: str, code: str, sentence: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        join_token(address(token=token), "w", recorder=False, now=1_767_225_601.0 if code == "token_expired" else None)
    assert (refused.value.code, str(refused.value)) == (code, sentence)
    assert token not in str(refused.value)


def test_a_ready_token_is_looked_at_when_it_is_used() -> None:
    expires = int(time.time()) + 60
    used = address(token=ready({"exp": expires}, roomAdmin=True))
    join_token(used, "w", recorder=False, now=expires - 1.0)
    for use in (
        lambda: join_token(used, "w", recorder=False, now=float(expires)),
        lambda: api_token(used, room=ROOM, now=float(expires)),
    ):
        with pytest.raises(ConnectorError) as refused:
            use()
        assert refused.value.code == "token_expired"


@pytest.mark.parametrize("grants", [{}, {"roomAdmin": False}, {"roomAdmin": True, "room": "retro"}])
def test_a_ready_token_asks_the_api_only_with_a_right_to(grants: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError) as refused:
        api_token(address(token=ready(**grants)), room=ROOM)
    assert refused.value.code == "token_cannot_watch"
    assert str(refused.value) == (
        "this token may not ask the server who is in the room, nor tell the room: give api_key and api_secret, "
        "a project, or a token that also has roomAdmin for this room"
    )


def test_a_project_that_nobody_looked_up_signs_nothing() -> None:
    unknown = LivekitAddress.model_validate({"type": "livekit", "project": "main", "room": ROOM})
    for use in (lambda: join_token(unknown, "w", recorder=False), lambda: api_token(unknown, room=ROOM)):
        with pytest.raises(ConnectorError) as refused:
            use()
        assert refused.value.code == "unknown_project"


def test_of_a_ready_token_and_its_renewal_the_one_that_is_good_for_longer_is_used() -> None:
    now = int(time.time())
    day, minutes, forever = ready(), ready({"exp": now + 600}), ready({"exp": None})
    assert longer(minutes, day) == day
    assert longer(day, minutes) == day
    assert longer(minutes, forever) == forever
    assert longer("no token", minutes) == minutes
