"""How an app is told of its call, and which page troubles are final: pure."""

from __future__ import annotations

import pytest

from egress import logs
from egress.page.console import Console
from egress.page.handshake import Told, addressed, configuration, secrets
from egress.page.trouble import HEALTHY, MOST_RESTARTS, Tries, refused

TOLD = Told("default", "abc", "grid", {"video.scale_mode": "fit"}, server_url="wss://sfu.example", token="t/+=1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://app.example/", "https://app.example/?layout=grid&url=wss%3A%2F%2Fsfu.example&token=t%2F%2B%3D1"),
        (
            "https://app.example/p?x=%7e1&y#top",
            "https://app.example/p?x=%7e1&y&layout=grid&url=wss%3A%2F%2Fsfu.example&token=t%2F%2B%3D1#top",
        ),
        (
            "https://app.example/?layout=mine&token=its",
            "https://app.example/?layout=mine&token=its&url=wss%3A%2F%2Fsfu.example",
        ),
    ],
)
def test_the_query_says_layout_server_and_token_and_leaves_what_is_there_as_it_is(url: str, expected: str):
    assert addressed(url, TOLD) == expected


def test_what_is_not_known_is_not_said():
    nothing = Told("default", "abc", "grid")
    assert addressed("https://app.example/", nothing) == "https://app.example/?layout=grid"
    assert configuration(nothing) == {"call_type": "default", "call_id": "abc", "layout": "grid", "options": {}}


def test_setup_layout_is_told_by_the_names_of_the_open_layout_app():
    told = Told(
        "default",
        "abc",
        "spotlight",
        {"logo.image_url": "https://x.example/l.png"},
        screenshare_layout="spotlight",
        ext_css="https://x.example/s.css",
        token="secret",
        api_key="key",
        user_id="recorder",
        base_url="https://api.example",
    )
    assert configuration(told) == {
        "base_url": "https://api.example",
        "api_key": "key",
        "call_type": "default",
        "call_id": "abc",
        "token": "secret",
        "user_id": "recorder",
        "ext_css": "https://x.example/s.css",
        "layout": "spotlight",
        "screenshare_layout": "spotlight",
        "options": {"logo.image_url": "https://x.example/l.png"},
    }


def test_the_console_keeps_its_last_lines_short_and_without_what_is_secret_in_the_url():
    logs.hide(secrets("https://app.example/?room=lobby&signature=abcdef&k=0123456789abcdef0123", "the-token"))
    console = Console()
    assert console.said == ""
    for number in range(20):
        console.take("log", f"line {number}")
    console.take("error", "cannot join with the-token,\nabcdef or 0123456789abcdef0123 in lobby " + "x" * 300)
    assert console.said.startswith("; its console said: log: line 13 | ")
    assert console.said.count("|") == 7
    last = console.said.rsplit(" | ", 1)[1]
    assert last.startswith("error: cannot join with ***, *** or *** in lobby xxx")
    assert last.endswith("x…")
    assert len(last) < 150


@pytest.mark.parametrize(("status", "final"), [(404, True), (403, True), (410, True), (429, False), (503, False)])
def test_a_page_that_is_refused_for_good_is_not_tried_again(status: int, final: bool):
    trouble = refused("https://app.example:443", status)
    assert trouble.final is final
    assert str(status) in str(trouble)
    assert "https://app.example:443" in str(trouble)


def test_tries_come_ever_more_slowly_and_are_given_up_but_begin_anew_once_the_page_was_well():
    tries = Tries()
    assert [tries.pause(0) for _ in range(MOST_RESTARTS + 1)] == [0.5, 1.0, 2.0, None]
    tries = Tries()
    assert [tries.pause(HEALTHY - 1) for _ in range(2)] == [0.5, 1.0]
    assert tries.pause(HEALTHY) == 0.5
