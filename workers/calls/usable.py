"""As much of somebody's settings as can be used, where a part that cannot must not spoil the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from workers.calls.merging import without
from workers.calls.models import CallSettings
from workers.sentences import place, sentences


def usable(value: Mapping[str, Any]) -> tuple[CallSettings, list[str]]:
    """As much of the settings as can be used, and a sentence for what cannot."""
    kept, problems = dict(value), list[str]()
    while True:
        try:
            return CallSettings.model_validate(kept), problems
        except ValidationError as error:
            problems += sentences(error, CallSettings)
            before = kept
            for problem in error.errors(include_url=False, include_input=False):
                if where := tuple(place(problem)):
                    kept = without(kept, where)
            if kept == before:
                kept = {}
