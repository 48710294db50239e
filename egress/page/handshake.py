"""How an app is told which call it shows: by its query string, and by a call of ``window.setupLayout``.

The first is how pages for LiveKit's egress are addressed, the second how those of the open layout app are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from egress import logs

LONG = 20
"""Characters from which what a query says is taken for a secret, whatever it is called."""
MARKER = "#egress-ready-for-capture"
"""The element by which an app says that it may be captured."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an app may know of the call."""

    call_type: str
    call_id: str
    layout: str
    options: Mapping[str, Any] = field(default_factory=dict)
    screenshare_layout: str | None = None
    ext_css: str | None = None
    server_url: str | None = None
    """Where the call's SFU is."""
    token: str | None = None
    api_key: str | None = None
    user_id: str | None = None
    base_url: str | None = None


def addressed(url: str, told: Told) -> str:
    """The URL with ``layout``, ``url`` and ``token`` in its query; what it says of them itself stays."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    names = {name for name, _ in given}
    ours = {"layout": told.layout, "url": told.server_url, "token": told.token}
    added = urlencode([(name, value) for name, value in ours.items() if value is not None and name not in names])
    # What is there is kept letter by letter: it may be signed.
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def configuration(told: Told) -> dict[str, Any]:
    """The argument of ``window.setupLayout``."""
    every = {
        "base_url": told.base_url,
        "api_key": told.api_key,
        "call_type": told.call_type,
        "call_id": told.call_id,
        "token": told.token,
        "user_id": told.user_id,
        "ext_css": told.ext_css,
        "layout": told.layout,
        "screenshare_layout": told.screenshare_layout,
        "options": dict(told.options),
    }
    return {name: value for name, value in every.items() if value is not None}


def secrets(url: str, token: str | None) -> list[str]:
    """What must not be told again: the token, and what the query has that is secret by its name or its length."""
    query = parse_qsl(urlsplit(url).query)
    return [
        *([token] if token else []),
        *(v for n, v in query if len(v) >= LONG or logs.is_telling(n) or _is_telling(n)),
    ]


def _is_telling(name: str) -> bool:
    return any(part in name.lower() for part in ("sig", "auth", "jwt", "hmac", "session"))
