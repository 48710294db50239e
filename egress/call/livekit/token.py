"""Access tokens: what we ask of a room, and nothing else; and whether one that we were given will do.

A token is a JWT (RFC 7519) signed by HMAC-SHA256 with the secret of an API key. Its ``video`` claim holds the grants.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from egress.call.connector import ConnectorError
from egress.call.livekit.address import LivekitAddress, not_looked_up

TTL = 600.0
"""Seconds for which a token of ours opens a room. Who is in the room is given fresh ones by the server."""
API_TTL = 60.0
"""Seconds for which a token of ours may be used with the server's API. Each request has its own."""

_ALGORITHM = "HS256"
_SHORTEST_KEY = 32
"""Bytes."""


def join_token(address: LivekitAddress, identity: str, *, recorder: bool, now: float | None = None) -> str:
    """The token with which we join the room under that identity; a ready one is used as it is.

    ``recorder`` lights the sign of recording with the guests' clients. ``now`` is in seconds of Unix time. Raises
    ConnectorError when the ready token would not let us in, or would let us be seen.
    """
    if address.token is not None:
        ready = address.token.get_secret_value()
        check_ready(ready, address.room, now=now)
        return ready
    grants = {
        "room": address.room,
        "roomJoin": True,
        "hidden": True,
        "canSubscribe": True,
        "canPublish": False,
        "canPublishData": False,
        "canUpdateOwnMetadata": False,
    }
    if recorder:
        grants["recorder"] = True
    return _signed(address, identity, grants, TTL, now)


def api_token(address: LivekitAddress, *, room: str, now: float | None = None) -> str:
    """The token with which the server's API is asked about that room.

    Raises ConnectorError when the ready token of the address may not ask.
    """
    if address.token is None:
        return _signed(address, "wallflower", {"room": room, "roomAdmin": True, "roomList": True}, API_TTL, now)
    ready = address.token.get_secret_value()
    grants = _grants(_claims(ready, now))
    if grants.get("roomAdmin") is not True or grants.get("room") != room:
        raise ConnectorError(
            "token_cannot_watch",
            "this token may not ask the server who is in the room, nor tell the room: give api_key and api_secret, "
            "a project, or a token that also has roomAdmin for this room",
        )
    return ready


def check_ready(token: str, room: str, *, now: float | None = None) -> None:
    """Raise ConnectorError unless somebody else's token lets us into that room, to listen and unseen."""
    claims = _claims(token, now)
    grants = _grants(claims)
    if not (claims.get("sub") or claims.get("jti")):
        raise ConnectorError("token_invalid", "the token names no identity (sub), which LiveKit asks for")
    if grants.get("roomJoin") is not True:
        raise ConnectorError("token_cannot_join", "the token may not join a room: it needs roomJoin")
    if grants.get("room") != room:
        theirs = grants.get("room")
        is_for = f"room '{theirs}'" if isinstance(theirs, str) and theirs else "no room by name"
        raise ConnectorError("token_not_for_room", f"the token is for {is_for}, not for room '{room}'")
    if grants.get("canSubscribe") is False:
        raise ConnectorError(
            "token_cannot_subscribe", "the token may not receive anything: canSubscribe is false in it"
        )
    if grants.get("hidden") is not True:
        raise ConnectorError("token_not_hidden", "everybody would see us with this token: it needs hidden")


def longer(one: str, other: str) -> str:
    """Of two tokens the one that is good for longer."""
    return max(one, other, key=_expiry)


def _expiry(token: str) -> float:
    """When a token expires; one that cannot be read has."""
    try:
        expires = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except jwt.InvalidTokenError:
        return 0.0
    return float(expires) if isinstance(expires, int | float) else math.inf


def _claims(token: str, now: float | None) -> Mapping[str, Any]:
    """What the token says. Its signature is for the server to check: only that has the secret."""
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise ConnectorError("token_invalid", "the token is no access token of LiveKit (a JWT)") from None
    if decoded["header"].get("alg") != _ALGORITHM:
        raise ConnectorError("token_invalid", f"the token is not signed with {_ALGORITHM}, as LiveKit wants it")
    claims: Mapping[str, Any] = decoded["payload"]
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= (time.time() if now is None else now):
        raise ConnectorError("token_expired", f"the token expired at {_moment(expires)}: give a fresh one")
    return claims


def _grants(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    found = claims.get("video")
    return found if isinstance(found, dict) else {}


def _signed(address: LivekitAddress, identity: str, grants: Mapping[str, Any], ttl: float, now: float | None) -> str:
    if address.api_key is None or address.api_secret is None:
        raise not_looked_up(address)
    # No nbf and no iat: a server whose clock is behind ours would refuse the token for them.
    claims = {
        "iss": address.api_key,
        "sub": identity,
        "exp": int((time.time() if now is None else now) + ttl),
        "video": grants,
    }
    # HMAC fills a short key up with zeros by itself (RFC 2104), and LiveKit takes keys that PyJWT would warn of.
    key = address.api_secret.get_secret_value().encode().ljust(_SHORTEST_KEY, b"\0")
    return jwt.encode(claims, key, _ALGORITHM)


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "a time long ago"
