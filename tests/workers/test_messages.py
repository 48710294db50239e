"""Messages: what is good becomes a model, what is not becomes sentences that name the field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egress.protocol.encoding import Quality
from egress.sealing import Keyring, new_key
from workers.calls.addresses import sealed
from workers.messages import (
    MESSAGES,
    CallSessionEnded,
    CallSessionStarted,
    StartRecording,
    StopRecording,
    UpdateCall,
    named,
    parse,
)
from workers.payload import MAX_TEXT, check, decode
from workers.refused import BadMessage

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


@pytest.mark.parametrize("secret", [471147, ["open sesame"], {"open": "sesame"}, "x" * 2000])
def test_a_secret_of_a_wrong_kind_is_refused_and_not_repeated(secret: Any) -> None:
    said = refusal({**GOOD, "connector": {**JANUS, "pin": secret}})
    assert said.startswith("connector.pin: this value is not allowed: ")
    assert not re.search("471147|sesame|xxx", said)


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
            {"recording": {"layout": {"name": "grid", "external_css_url": "file:///etc/passwd"}}},
            "recording.layout.external_css_url: a URL of the scheme 'file' is not allowed; allowed are http://, https",
        ),
        (
            {"recording": {"layout": {"name": "grid", "external_css_url": "https://ana:secret@x/y.css"}}},
            "recording.layout.external_css_url: https://x:443 must not hold a user or a password",
        ),
        (
            {"recording": {"layout": {"name": "custom", "external_app_url": "file:///etc/passwd"}}},
            "recording.layout.external_app_url: a URL of the scheme 'file' is not allowed; allowed are http://, https://",
        ),
        ({"recording_type": "raw"}, "recording_type: 'raw' is not allowed; allowed are composite"),
        ({"egress_id": "../../etc"}, "egress_id: '../../etc' is not allowed; allowed are 1 to 64 letters"),
        ({"connector": {"type": "zoom"}}, "connector.type: 'zoom' is no connector; known are janus, livekit, loopback"),
        ({"connector": {}}, "connector.type: must name a connector; known are janus, livekit, loopback"),
        ({"connector": 5}, "connector: 5 is not allowed"),
        ({"connector": {**JANUS, "room": -1}}, "connector.room: -1 is not allowed"),
        ({"connector": {**JANUS, "colour": 1}}, "connector.colour: is no known field; known are type, url, room"),
        ({"connector": {"type": "janus", "url": JANUS["url"]}}, "connector.room: is missing"),
        ({"surprise": 1}, "surprise: is no known field; known are call_cid, request_id, recording_type"),
        ({"request_id": "a\0b"}, "request_id: holds a NUL character"),
        ({"request_id": "\ud800"}, "request_id: holds half a surrogate pair"),
        ({"request_id": "x" * 10_000_000}, f"request_id: has 10000000 characters; at most {MAX_TEXT} are allowed"),
        ({"session_id": 2**200}, "session_id: is a number beyond"),
        ({"session_id": float("nan")}, "session_id: must be a finite number"),
        ({"": 2**63}, '"": is a number beyond'),
        ({"a": {" ": float("inf")}}, 'a." ": must be a finite number'),
        ({"": {"": 2**64}}, '""."": is a number beyond'),
        ({":": None}, '":": is no known field; known are call_cid'),
        ({"": None}, '"": is no known field; known are call_cid'),
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
    assert refusal(GOOD, "dance") == f"'dance' is no message type; known are {', '.join(MESSAGES)}"


@pytest.mark.parametrize("text", ["", "[1]", "nul", '{"a":' * 50_000, b"\xff\xfe", "1" * 300_000])
def test_text_that_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadMessage, match=r"^the message "):
        decode(text)


def test_secrets_of_a_connector_are_not_in_its_refusal() -> None:
    said = refusal({**GOOD, "connector": {**JANUS, "pin": "open sesame", "room": -1, "secret": ""}})
    assert "sesame" not in said


FERNET = Keyring([new_key()])


def test_a_sealed_address_is_opened_with_the_keys_of_the_ledger() -> None:
    hidden = sealed({**JANUS, "pin": "open sesame"}, FERNET)
    assert set(hidden) == {"type", "sealed"} and "sesame" not in str(hidden)
    message = parse("start_recording", {**GOOD, "connector": hidden}, FERNET)
    assert isinstance(message, StartRecording)
    assert message.connector == {**JANUS, "pin": "open sesame"}
    # Who sends need not have the keys.
    unopened = parse("start_recording", {**GOOD, "connector": hidden})
    assert isinstance(unopened, StartRecording) and unopened.connector == hidden


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"type": "janus", "sealed": "gAAAA"}, "connector.sealed: something sealed cannot be opened: its key is not"),
        ({"type": "janus", "sealed": 5}, "connector.sealed: must be a Fernet token"),
        ({"type": "janus", "sealed": "é"}, "connector.sealed: must be a Fernet token"),
        ({"type": "janus", "sealed": "x", "pin": "1"}, "connector.sealed: only 'type' may stand beside it"),
        ({"sealed": "x"}, "connector.type: must name a connector"),
        (sealed({**JANUS, "room": -1}, FERNET), "connector.room: -1 is not allowed"),
    ],
)
def test_a_sealed_address_that_cannot_be_used_is_refused_in_words(address: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse("start_recording", {**GOOD, "connector": address}, FERNET)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"recording": {"quality": "8k"}}, "settings.recording.quality: '8k' is not allowed; allowed are audio-only,"),
        ({"recordings": {}}, "settings.recordings: is no known field; known are audio, backstage, broadcasting,"),
        ({"session": {"inactivity_timeout_seconds": 4}}, "settings.session.inactivity_timeout_seconds: 4 is not"),
        ({"session": {"inactivity_timeout_seconds": 901}}, "settings.session.inactivity_timeout_seconds: 901 is not"),
        ({"limits": {"max_duration_seconds": -1}}, "settings.limits.max_duration_seconds: -1 is not allowed"),
        ({"limits": {"max_duration_seconds": "60"}}, "settings.limits.max_duration_seconds: '60' is not allowed"),
        ({"frame_recording": {"capture_interval_in_seconds": 61}}, "capture_interval_in_seconds: 61 is not allowed"),
        ({"broadcasting": {"hls": {"quality_tracks": []}}}, "settings.broadcasting.hls.quality_tracks: a list is not"),
        ({"broadcasting": {"hls": {"quality_tracks": ["720p"] * 4}}}, "settings.broadcasting.hls.quality_tracks: a l"),
        ({"broadcasting": {"rtmp": {"layout": {"name": "gird"}}}}, "settings.broadcasting.rtmp.layout.name:"),
        ({"transcription": {"language": "tlh"}}, "settings.transcription.language: 'tlh' is not allowed; allowed are"),
        ({"ring": {"auto_cancel_timeout_ms": 4999}}, "settings.ring.auto_cancel_timeout_ms: 4999 is not allowed"),
        ({"video": {"target_resolution": {"width": 100}}}, "settings.video.target_resolution.width: 100 is not"),
        ({"ingress": {"audio_encoding_options": {"channels": 3}}}, "settings.ingress.audio_encoding_options.channels"),
        ({"recording": {"layout": {"name": "grid", "options": {"title.txet": "a"}}}}, "settings.recording.layout.opti"),
    ],
)
def test_settings_that_are_wrong_are_refused_with_their_place(settings: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal({"call_cid": "default:abc", "settings": settings}, "update_call")


def test_the_whole_settings_of_a_call_backend_are_taken() -> None:
    layout = {"name": "custom", "external_app_url": "https://a.example/", "external_css_url": "https://a.example/c"}
    settings = {
        "audio": {"default_device": "speaker", "noise_cancellation": {"mode": "auto-on"}, "hifi_audio_enabled": True},
        "backstage": {"enabled": True, "join_ahead_time_seconds": 300},
        "broadcasting": {
            "enabled": True,
            "hls": {"auto_on": True, "enabled": True, "quality_tracks": ["audio-only", "360p"], "layout": layout},
            "rtmp": {"enabled": True, "quality": "portrait-720x1280", "layout": {"name": "spotlight"}},
        },
        "frame_recording": {"capture_interval_in_seconds": 60, "mode": "auto-on", "quality": "1440p"},
        "geofencing": {"names": ["european_union"]},
        "individual_recording": {"mode": "auto-on"},
        "ingress": {
            "enabled": True,
            "audio_encoding_options": {"bitrate": 128_000, "channels": 1, "enable_dtx": True},
            "video_encoding_options": {"layers": [{"codec": "vp8"}]},
        },
        "limits": {"max_duration_seconds": 3600, "max_participants": 5, "max_participants_exclude_roles": ["host"]},
        "raw_recording": {"mode": "disabled"},
        "recording": {"mode": "auto-on", "quality": "audio-only", "audio_only": False, "layout": {"name": "grid"}},
        "ring": {"auto_cancel_timeout_ms": 5000, "incoming_call_timeout_ms": 0, "missed_call_timeout_ms": 180_000},
        "screensharing": {"enabled": True, "target_resolution": {"bitrate": 6_000_000, "height": 240, "width": 3840}},
        "session": {"inactivity_timeout_seconds": 5},
        "thumbnails": {"enabled": False},
        "transcription": {
            "mode": "auto-on",
            "closed_caption_mode": "auto-on",
            "language": "de",
            "speech_segment_config": {"max_speech_caption_ms": 5000, "silence_duration_ms": 600},
            "translation": {"enabled": True, "languages": ["fr"]},
        },
        "video": {"camera_facing": "external", "target_resolution": {"bitrate": 1, "height": 240, "width": 240}},
    }
    message = parse("update_call", {"call_cid": "default:abc", "settings": settings})
    assert isinstance(message, UpdateCall) and message.settings is not None
    assert message.settings.said()["limits"] == settings["limits"]
    assert set(message.settings.said()) == set(type(message.settings).model_fields)


HOSTED: dict[str, Any] = {
    "type": "call.session_started",
    "created_at": "2026-01-02T03:04:05Z",
    "call_cid": "default:abc",
    "session_id": "27e6a3d6-9f7b-4f1b-b4c5-0d6cf5a9e1a7",
    "call": {
        "cid": "default:abc",
        "custom": {"deep": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]},
        "egress": {"broadcasting": False, "rtmps": []},
        "settings": {
            "limits": {"max_duration_seconds": 60, "max_participants": None, "max_participants_exclude_roles": []},
            "recording": {
                "mode": "auto-on",
                "audio_only": False,
                "quality": "1080p",
                "layout": {"name": "spotlight", "external_app_url": "", "external_css_url": "", "options": {}},
            },
            "transcription": {"mode": "available", "language": "xx", "closed_caption_mode": "available"},
            "something": {"new": True},
            "ring": {"auto_cancel_timeout_ms": 15000, "new_timeout_ms": 5},
        },
    },
}


def test_the_hosted_platforms_event_is_a_message_as_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    assert named("call.session_started") == "call_session_started"
    message = parse("call_session_started", HOSTED)
    assert isinstance(message, CallSessionStarted)
    assert (message.call_cid, message.session_id) == (HOSTED["call_cid"], HOSTED["session_id"])
    assert message.settings is not None
    said = message.settings.said()
    assert said["limits"] == {"max_duration_seconds": 60, "max_participants_exclude_roles": []}
    assert said["recording"]["layout"] == {"name": "spotlight", "options": {}}
    assert (said["recording"]["mode"], said["recording"]["quality"]) == ("auto-on", "1080p")
    # What we do not know is left out; what we cannot use is left out and told.
    assert "something" not in said and said["ring"] == {"auto_cancel_timeout_ms": 15000}
    assert said["transcription"] == {"mode": "available", "closed_caption_mode": "available"}
    assert "call.session_started of default:abc: settings.transcription.language: 'xx' is not allowed" in caplog.text


def test_the_hosted_platforms_end_is_a_message_too() -> None:
    ended = {**HOSTED, "type": "call.session_ended"}
    assert parse("call_session_ended", ended) == CallSessionEnded(
        call_cid=HOSTED["call_cid"], session_id=HOSTED["session_id"]
    )
    assert refusal(ended, "call_session_started") == (
        "type: 'call.session_ended' is not allowed here; send it as call_session_ended"
    )


def test_our_own_messages_have_no_fields_that_we_do_not_know() -> None:
    assert "call: is no known field" in refusal(
        {"call_cid": "default:abc", "call": {"settings": {}}}, "call_session_started"
    )


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**60, max_value=2**80)
    | st.floats()
    | st.text(st.characters(), max_size=50)
    | st.sampled_from(
        ["720p", "grid", "janus", "default:abc", "auto-on", "call.session_started", "\ud800", "\0", "x" * 9000]
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
        *("settings", "limits", "max_duration_seconds", "hls", "quality_tracks", "call", "sealed"),
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
    type_=st.sampled_from([*MESSAGES, "call.session_started"]),
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
