"""Call types: the documented defaults, and what the settings file says of them and of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workers.calls.rooms import room
from workers.calls.settings import CallSettings, effective
from workers.calls.stores import store
from workers.calls.types import BUILT_IN, known_types
from workers.ledger.tables import Call
from workers.refused import BadMessage
from workers.settings import Settings, SettingsError, load

JANUS = {"type": "janus", "url": "http://sfu.internal:8088/janus", "room": "{call_type}-{call_id}"}


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_the_built_in_types_are_whole_settings(name: str) -> None:
    CallSettings.model_validate(BUILT_IN[name])


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        # audio_room, default, livestream, development, in the order of the documented table
        ("audio.access_request_enabled", (True, True, False, True)),
        ("audio.opus_dtx_enabled", (True, True, True, True)),
        ("audio.redundant_coding_enabled", (True, True, True, True)),
        ("audio.mic_default_on", (False, True, False, True)),
        ("audio.speaker_default_on", (True, True, True, True)),
        ("audio.default_device", ("speaker", "earpiece", "speaker", "earpiece")),
        ("backstage.enabled", (True, False, True, False)),
        ("video.enabled", (False, True, True, True)),
        ("video.access_request_enabled", (False, True, False, True)),
        ("video.camera_default_on", (False, True, True, True)),
        ("video.camera_facing", ("front", "front", "front", "front")),
        ("video.target_resolution.width", (None, 2560, 1920, 1920)),
        ("video.target_resolution.height", (None, 1440, 1080, 1080)),
        ("video.target_resolution.bitrate", (None, 5_000_000, 3_000_000, 3_000_000)),
        ("screensharing.enabled", (False, True, True, True)),
        ("screensharing.access_request_enabled", (False, True, False, True)),
        ("recording.mode", ("available",) * 4),
        ("recording.quality", ("720p",) * 4),
        ("broadcasting.enabled", (True,) * 4),
        ("broadcasting.hls.auto_on", (False,) * 4),
        ("broadcasting.hls.enabled", (True,) * 4),
        ("broadcasting.hls.quality_tracks", (["720p"],) * 4),
        ("geofencing.names", ([],) * 4),
        ("transcription.mode", ("available",) * 4),
        ("ring.incoming_call_timeout_ms", (0, 15_000, 0, 15_000)),
        ("ring.auto_cancel_timeout_ms", (0, 15_000, 0, 15_000)),
    ],
)
def test_a_call_has_the_documented_defaults_of_its_type(setting: str, values: tuple[Any, ...]) -> None:
    for name, expected in zip(("audio_room", "default", "livestream", "development"), values, strict=True):
        found: Any = effective(Settings(), None, f"{name}:one")
        for part in setting.split("."):
            found = getattr(found, part, None)
        assert found == expected, name


def test_the_settings_file_extends_built_in_types_and_adds_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wallflower.toml"
    file.write_text(
        """
        [call_types.livestream.settings.recording]
        mode = "auto-on"

        [call_types.webinar]
        external_storage = "archive"
        [call_types.webinar.settings.limits]
        max_duration_seconds = 3600

        [call_types.default.connector]
        type = "janus"
        url = "http://sfu.internal:8088/janus"
        room = "{call_type}-{call_id}"

        [[stores]]
        name = "archive"
        storage_type = "s3"
        bucket = "films"
        """
    )
    monkeypatch.setenv("WALLFLOWER_CONFIG", str(file))
    settings = load()
    assert known_types(settings) == ["default", "audio_room", "livestream", "development", "webinar"]
    stream = effective(settings, None, "livestream:one")
    assert (stream.recording.mode, stream.backstage.enabled) == ("auto-on", True)
    webinar = effective(settings, None, "webinar:one")
    assert (webinar.limits.max_duration_seconds, webinar.audio.default_device) == (3600, "earpiece")
    assert effective(settings, None, "webinar-2:one").limits.max_duration_seconds is None
    assert store(settings, None, "webinar:one") == "archive"
    assert store(settings, None, "livestream:one") == "local"
    assert room(settings, None, "webinar:one")["room"] == "webinar-one"
    assert room(settings, None, "nobody-knows:one")["room"] == "nobody-knows-one"


def test_a_call_has_what_was_said_of_it_over_its_type() -> None:
    call = Call(cid="default:a", settings={"recording": {"mode": "auto-on"}, "limits": {"max_duration_seconds": 5}})
    found = effective(Settings(), call, "default:a")
    assert (found.recording.mode, found.recording.quality, found.limits.max_duration_seconds) == ("auto-on", "720p", 5)


def test_what_cannot_be_used_of_a_ledger_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    call = Call(cid="default:a", settings={"recording": {"mode": "auto-on", "quality": "8k"}, "gone": {"a": 1}})
    found = effective(Settings(), call, "default:a")
    assert (found.recording.mode, found.recording.quality) == ("auto-on", "720p")
    assert "the settings of default:a: recording.quality: '8k' is not allowed" in caplog.text
    assert "the settings of default:a: gone: is no known field" in caplog.text


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{call_id.__class__}", "'{call_id.__class__}' cannot be filled in; allowed are {call_id}, {call_type}"),
        ("{0}", "'{0}' cannot be filled in"),
        ("{}", "'{}' cannot be filled in"),
        ("{call_id!r}", "'{call_id}' cannot be filled in"),
        ("{call_id:>1000000}", "'{call_id}' cannot be filled in"),
        ("{secret}", "'{secret}' cannot be filled in"),
        ("{call_id", "has a brace without its other half"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_with_the_settings(template: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(call_types={"default": {"connector": {**JANUS, "pin": [template]}}})
    said = str(caught.value)
    assert said.startswith("settings: call_types.default.connector: ") and sentence in said
    assert "\n" not in said


def test_templates_fill_nested_texts_and_leave_numbers_alone() -> None:
    template = {"type": "janus", "room": 1234, "a": ["{call_cid}", {"b": "{{{call_id}}}"}], "c": None}
    settings = Settings(call_types={"default": {"connector": template}})  # type: ignore[dict-item]
    from workers.calls.addresses import filled

    assert filled(settings.call_types["default"].connector, "x:y") == {
        "type": "janus",
        "room": 1234,
        "a": ["x:y", {"b": "{y}"}],
        "c": None,
    }


def test_a_template_whose_address_cannot_be_used_is_told_with_its_place() -> None:
    settings = load(call_types={"default": {"connector": {**JANUS, "url": "ftp://{call_id}"}}})
    with pytest.raises(BadMessage, match=r"^call_types.default.connector.url: url must look like http"):
        room(settings, None, "default:a")


def test_a_call_without_a_room_is_refused_in_words() -> None:
    with pytest.raises(BadMessage) as caught:
        room(Settings(), None, "livestream:a")
    assert str(caught.value) == "connector: is missing, and neither the call nor its type 'livestream' names a room"


def test_the_room_of_the_call_goes_before_that_of_its_type() -> None:
    settings = load(call_types={"default": {"connector": JANUS}})
    own = {"type": "loopback", "guests": 2}
    assert room(settings, Call(cid="default:a", connector=own), "default:a") == own
    assert room(settings, Call(cid="default:a", connector=None), "default:a") == {**JANUS, "room": "default-a"}


def test_an_unknown_store_is_refused_by_name_with_the_known_ones() -> None:
    settings = load(stores=[{"name": "archive", "storage_type": "s3", "bucket": "films"}])
    with pytest.raises(BadMessage) as caught:
        store(settings, None, "default:a", "attic")
    assert str(caught.value) == "recording_external_storage: 'attic' is no storage; known are local, archive"
    assert store(settings, None, "default:a", "archive") == "archive"
    assert store(settings, Call(cid="default:a", external_storage="archive"), "default:a") == "archive"
