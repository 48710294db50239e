"""Access tokens for LiveKit, as a call's backend makes them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import jwt


def token(
    api_key: str,
    api_secret: str,
    identity: str,
    room: str,
    *,
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    valid: float = 3600.0,
    **grants: Any,
) -> str:
    """A token to join a room, for ``valid`` seconds from now; servers allow a minute more (−90: it has expired).

    ``grants`` are the protocol's video grants: ``canPublish=False``, ``hidden=True``, ``recorder=True``, ….
    """
    video = {"roomJoin": True, "room": room, **grants}
    who = {"sub": identity, "name": name, "metadata": metadata, "attributes": dict(attributes or {})}
    return signed(api_key, api_secret, {**who, "video": video}, valid)


def signed(api_key: str, api_secret: str, claims: dict[str, Any], valid: float) -> str:
    now = int(time.time())
    # A token that has expired was valid once.
    times = {"nbf": now - 60 + min(0, int(valid)), "exp": now + int(valid)}
    return jwt.encode({"iss": api_key, **times, **claims}, api_secret, "HS256")
