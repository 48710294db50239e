"""The documentation says what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from egress.media.bitrates import CAPS
from egress.protocol import Quality
from workers.events import payloads
from workers.messages import RecordSettings, StartRecording, StopRecording
from workers.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_of_the_handbook_are_those_of_the_code_with_their_defaults() -> None:
    text = re.search(r"```toml\n(.*?)```", (DOCS / "operations.md").read_text(), re.S)
    assert text is not None
    documented = tomllib.loads(text[1])
    code = Settings().model_dump(mode="json")
    caps = documented["recording"].pop("max_bitrate")
    assert caps == {f"{side}p": cap for side, cap in CAPS.items() if f"{side}p" in caps}
    assert len(caps) == 5
    assert documented.pop("data_dir")
    for name, value in documented.items():
        if isinstance(value, dict):
            for inner, default in value.items():
                shown = code[name][inner]
                assert shown == default or inner == "url", f"{name}.{inner}"
        else:
            assert code[name] == value, name
    mentioned = text[1]
    for name, section in Settings.model_fields.items():
        assert name in mentioned
        for inner in getattr(section.annotation, "model_fields", {}):
            assert re.search(rf"\b{inner}\b", mentioned), f"{name}.{inner}"


def test_every_field_quality_and_event_is_in_the_reference() -> None:
    text = (DOCS / "messages.md").read_text()
    names = {*StartRecording.model_fields, *StopRecording.model_fields, *RecordSettings.model_fields} - {"layout"}
    for name in (*names, *Quality, *payloads.TYPES):
        assert f"`{name}`" in text, name
