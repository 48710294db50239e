"""The call types: the four that are built in, and what the settings say of them and of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.calls.merging import merged
from workers.settings import Settings

_RESOLUTIONS = {
    "default": {"width": 2560, "height": 1440, "bitrate": 5_000_000},
    "full_hd": {"width": 1920, "height": 1080, "bitrate": 3_000_000},
}


def _built_in(
    *,
    audio: dict[str, Any],
    video: dict[str, Any],
    screensharing: bool,
    screens_on_request: bool,
    backstage: bool,
    ring: int,
) -> dict[str, Any]:
    return {
        "audio": {"opus_dtx_enabled": True, "redundant_coding_enabled": True, "speaker_default_on": True, **audio},
        "backstage": {"enabled": backstage},
        "video": {"camera_facing": "front", **video},
        "screensharing": {"enabled": screensharing, "access_request_enabled": screens_on_request},
        "recording": {"mode": "available", "quality": "720p"},
        "broadcasting": {"enabled": True, "hls": {"auto_on": False, "enabled": True, "quality_tracks": ["720p"]}},
        "geofencing": {"names": []},
        "transcription": {"mode": "available"},
        "ring": {"incoming_call_timeout_ms": ring, "auto_cancel_timeout_ms": ring},
    }


BUILT_IN: dict[str, dict[str, Any]] = {
    "default": _built_in(
        audio={"access_request_enabled": True, "mic_default_on": True, "default_device": "earpiece"},
        video={
            "enabled": True,
            "access_request_enabled": True,
            "camera_default_on": True,
            "target_resolution": _RESOLUTIONS["default"],
        },
        screensharing=True,
        screens_on_request=True,
        backstage=False,
        ring=15_000,
    ),
    "audio_room": _built_in(
        audio={"access_request_enabled": True, "mic_default_on": False, "default_device": "speaker"},
        video={
            "enabled": False,
            "access_request_enabled": False,
            "camera_default_on": False,
            "target_resolution": None,
        },
        screensharing=False,
        screens_on_request=False,
        backstage=True,
        ring=0,
    ),
    "livestream": _built_in(
        audio={"access_request_enabled": False, "mic_default_on": False, "default_device": "speaker"},
        video={
            "enabled": True,
            "access_request_enabled": False,
            "camera_default_on": True,
            "target_resolution": _RESOLUTIONS["full_hd"],
        },
        screensharing=True,
        screens_on_request=False,
        backstage=True,
        ring=0,
    ),
    "development": _built_in(
        audio={"access_request_enabled": True, "mic_default_on": True, "default_device": "earpiece"},
        video={
            "enabled": True,
            "access_request_enabled": True,
            "camera_default_on": True,
            "target_resolution": _RESOLUTIONS["full_hd"],
        },
        screensharing=True,
        screens_on_request=True,
        backstage=False,
        ring=15_000,
    ),
}
"""Settings by call type, as documented; what is not named has the default of its field."""


@dataclass(frozen=True, slots=True)
class TypeOfCall:
    """What calls of a type have: settings as JSON, a store's name, the template of a room's address."""

    name: str
    settings: dict[str, Any]
    external_storage: str | None
    connector: dict[str, Any] | None


def known_types(settings: Settings) -> list[str]:
    return [*BUILT_IN, *(name for name in settings.call_types if name not in BUILT_IN)]


def call_type(settings: Settings, name: str) -> TypeOfCall:
    """The type of that name; for one that nobody knows, the type ``default``."""
    own = settings.call_types.get(name)
    if name != "default" and (own is not None or name in BUILT_IN):
        base = call_type(settings, "default")
        found = BUILT_IN.get(name, base.settings)
    else:
        name, own = "default", settings.call_types.get("default")
        base = TypeOfCall(name, {}, None, None)
        found = BUILT_IN[name]
    if own is None:
        return TypeOfCall(name, found, base.external_storage, base.connector)
    return TypeOfCall(
        name,
        merged(found, own.settings.said()),
        own.external_storage or base.external_storage,
        own.connector or base.connector,
    )


def type_of(cid: str) -> str:
    return cid.partition(":")[0]
