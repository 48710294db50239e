"""Messages: what is good becomes a model, what is not becomes sentences that name the field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egress.protocol import Quality
from workers.messages import StartRecording, StopRecording, parse
from workers.payload import MAX_TEXT, BadMessage, check, decode

JANUS = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1}
GOOD: dict[str, Any] = {"call_cid": "default:abc", "connector": JANUS}


def refusal(payload: object, type_: str = "start_recording") -> str:
    with pytest.raises(BadMessage) as caught:
        parse(type_, payload)
    return str(caught.value)


def test_a_short_message_takes_the_defaults() -> None:
    message = parse("start_recording", GOOD)
    assert isinstance(message, StartRecording)
    assert message.recording.effective_quality is Quality.P720
    assert message.recording.layout.name == "grid"
    assert message.egress_id is None


@pytest.mark.parametrize("quality", list(Quality))
def test_every_quality_of_the_call_backends_is_taken(quality: Quality) -> None:
    message = parse("start_recording", {**GOOD, "recording": {"mode": "available", "quality": quality.value}})
    assert isinstance(message, StartRecording)
    assert message.recording.effective_quality is quality


def test_audio_only_wins_over_the_quality() -> None:
    message = parse("start_recording", {**GOOD, "recording": {"audio_only": True, "quality": "1080p"}})
    assert isinstance(message, StartRecording)
    assert message.recording.effective_quality is Quality.AUDIO_ONLY


def test_a_stop_needs_only_the_call() -> None:
    assert parse("stop_recording", {"call_cid": "default:abc"}) == StopRecording(call_cid="default:abc")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"call_cid": "abc"}, "call_cid: 'abc' is not allowed; it must look like 'type:id'"),
        ({"recording": {"quality": "8k"}}, "recording.quality: '8k' is not allowed; allowed are audio-only, 360p,"),
        ({"recording": {"qualty": "720p"}}, "recording.qualty: is no known field; known are mode, audio_only, quality"),
        ({"recording": {"audio_only": "yes"}}, "recording.audio_only: 'yes' is not allowed: input should be a valid"),
        ({"recording": {"mode": "disabled"}}, "recording.mode: recording is disabled for this call; allowed are"),
        ({"recording": {"mode": "sometimes"}}, "recording.mode: 'sometimes' is not allowed; allowed are available"),
        ({"recording": {"layout": {"name": "gird"}}}, 'recording.layout.name: "gird" is not a layout'),
        (
            {"recording": {"layout": {"name": "grid", "external_css_url": "https://x/y.css"}}},
            "recording.layout.external_css_url: pages and style sheets from elsewhere are not drawn",
        ),
        (
            {"recording": {"layout": {"name": "grid", "external_app_url": "https://x/"}}},
            "recording.layout.external_app_url: pages and style sheets from elsewhere are not drawn",
        ),
        ({"recording_type": "raw"}, "recording_type: 'raw' is not allowed; allowed are composite"),
        ({"egress_id": "../../etc"}, "egress_id: '../../etc' is not allowed; allowed are 1 to 64 letters"),
        ({"connector": {"type": "zoom"}}, "connector.type: 'zoom' is no connector; known are janus, loopback"),
        ({"connector": {}}, "connector.type: must name a connector; known are janus, loopback"),
        ({"connector": 5}, "connector: 5 is not allowed"),
        ({"connector": {**JANUS, "room": -1}}, "connector.room: -1 is not allowed"),
        ({"connector": {**JANUS, "colour": 1}}, "connector.colour: is no known field; known are type, url, room"),
        ({"connector": {"type": "janus", "url": JANUS["url"]}}, "connector.room: is missing"),
        ({"surprise": 1}, "surprise: is no known field; known are call_cid, recording_type"),
        ({"request_id": "a\0b"}, "request_id: holds a NUL character"),
        ({"request_id": "\ud800"}, "request_id: holds half a surrogate pair"),
        ({"request_id": "x" * 10_000_000}, f"request_id: has 10000000 characters; at most {MAX_TEXT} are allowed"),
        ({"session_id": 2**200}, "session_id: is a number beyond"),
        ({"session_id": float("nan")}, "session_id: must be a finite number"),
        ({"connector": {"type": "janus", "url": {"a": [{}]}}}, "connector.room: is missing"),
    ],
)
def test_what_is_wrong_is_said_with_field_and_remedy(change: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal({**GOOD, **change})


def test_every_problem_is_named() -> None:
    said = refusal({"connector": {"type": "zoom"}, "recording": {"quality": "8k"}})
    assert "call_cid: is missing" in said and "connector.type" in said and "recording.quality" in said


def test_deep_nesting_is_refused_without_recursion() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert re.search("is nested deeper than 16 levels", refusal({**GOOD, "recording": deep}))
    while deep:  # taken apart by hand: the interpreter would recurse
        deep = deep.pop("a")


def test_an_unknown_type_is_refused_by_name() -> None:
    assert refusal(GOOD, "dance") == "'dance' is no message type; known are start_recording, stop_recording"


@pytest.mark.parametrize("text", ["", "[1]", "nul", '{"a":' * 50_000, b"\xff\xfe", "1" * 300_000])
def test_text_that_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadMessage, match=r"^the message "):
        decode(text)


def test_secrets_of_a_connector_are_not_in_its_refusal() -> None:
    said = refusal({**GOOD, "connector": {**JANUS, "pin": "open sesame", "room": -1, "secret": ""}})
    assert "sesame" not in said


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**60, max_value=2**80)
    | st.floats()
    | st.text(st.characters(), max_size=50)
    | st.sampled_from(
        ["720p", "grid", "janus", "loopback", "default:abc", "available", "\ud800", "\0", "x" * 9000, "-1"]
    )
)
_fields = st.sampled_from(
    [
        *(
            "call_cid",
            "recording_type",
            "egress_id",
            "session_id",
            "request_id",
            "connector",
            "recording",
            "type",
            "url",
        ),
        *("room", "guests", "mode", "audio_only", "quality", "layout", "name", "options", "detect_orientation", "pin"),
        *("recording_external_storage", "external_css_url", "layout.grid.columns", "display_pattern", "poll_interval"),
    ]
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_fields | st.text(max_size=10), inner, max_size=6),
    max_leaves=8,
)


@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    type_=st.sampled_from(["start_recording", "stop_recording"]),
    base=st.booleans(),
    extra=st.dictionaries(_fields, _values, max_size=6),
    other=_values,
)
def test_ten_thousand_odd_messages_are_taken_or_refused_in_words(
    type_: str, base: bool, extra: dict[str, Any], other: Any
) -> None:
    payload: Any = {**(GOOD if base else {}), **extra} if extra or base else other
    try:
        parse(type_, payload)
    except BadMessage as error:
        assert error.problems
        for problem in error.problems:
            assert re.match(r"(the message|a name in|[^\n:]+:)", problem), problem
            assert "\n" not in problem and "\0" not in problem
            problem.encode()


def test_good_payloads_are_left_as_they_are() -> None:
    assert check(GOOD) is GOOD
