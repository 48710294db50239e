"""What lets a page into the call's room: made where the connector can, and never what is ours alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt

from egress import logs
from egress.page.recording import _errand
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording

SECRET = "a-secret-of-at-least-thirty-two-bytes"
KEYED = {"type": "livekit", "url": "wss://sfu.example", "room": "standup", "api_key": "key", "api_secret": SECRET}
READY = {"type": "livekit", "url": "wss://sfu.example", "room": "standup", "token": "ours"}


def told(connector: dict[str, Any], **page: Any) -> tuple[str, dict[str, Any]]:
    """The URL that is opened, and what ``window.setupLayout`` is called with."""
    spec = CompositeRecording.model_validate({"egress_id": "e1", "page": {"url": "https://app.example/", **page}})
    job = Job(call_cid="default:standup", session_id="s1", connector=connector, spool=Path("/nowhere"))
    errand = _errand(spec, job, (1280, 720), "https://app.example:443", "http://127.0.0.1:1")
    assert errand.setup is not None
    return errand.url, dict(errand.setup)


def test_a_room_of_livekit_with_an_api_key_lets_the_page_in_hidden_as_a_recorder_under_a_name_of_its_own():
    url, setup = told(KEYED)
    claims = jwt.decode(setup["token"], SECRET, algorithms=["HS256"])
    assert claims["sub"] == "e1-page"
    assert claims["video"]["room"] == "standup"
    assert (claims["video"]["hidden"], claims["video"]["recorder"], claims["video"]["canPublish"]) == (
        True,
        True,
        False,
    )
    assert url == f"https://app.example/?layout=grid&url=wss%3A%2F%2Fsfu.example&token={setup['token']}"
    assert setup["token"] not in logs.clean(f"it says {setup['token']}")


def test_a_token_that_is_given_is_used_and_a_ready_one_of_the_room_is_not():
    _, setup = told(KEYED, token="given", server_url="wss://other.example")
    assert setup["token"] == "given"
    url, setup = told(READY)
    assert "token" not in setup
    assert url == "https://app.example/?layout=grid"


def test_where_the_connector_makes_none_the_app_is_told_the_call_alone():
    url, setup = told({"type": "page"}, user_id="u")
    assert setup == {"call_type": "default", "call_id": "standup", "user_id": "u", "layout": "grid", "options": {}}
    assert url == "https://app.example/?layout=grid"
