"""The settings that a call has now: those of its type, with what was said of the call alone laid over them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from workers.calls.merging import merged
from workers.calls.models import CallSettings
from workers.calls.types import call_type, type_of
from workers.calls.usable import usable
from workers.ledger.tables import Call
from workers.refused import BadMessage
from workers.sentences import sentences
from workers.settings import Settings

__all__ = ["CallSettings", "effective", "whole"]

log = logging.getLogger(__name__)


def effective(settings: Settings, call: Call | None, cid: str) -> CallSettings:
    """The settings that apply to a call, known to the ledger or not. Never raises: what cannot be used of what the
    ledger holds (the call's type has changed since) is left out, with a warning."""
    found, problems = usable(laid_over(settings, cid, call.settings if call is not None else {}))
    for problem in problems:
        log.warning("the settings of %s: %s", cid, problem)
    return found


def whole(settings: Settings, cid: str, said: Mapping[str, Any]) -> CallSettings:
    """The settings of a call of which that was said. Raises BadMessage when they do not go together."""
    try:
        return CallSettings.model_validate(laid_over(settings, cid, said))
    except ValidationError as error:
        raise BadMessage(*(f"settings.{line}" for line in sentences(error, CallSettings))) from None


def laid_over(settings: Settings, cid: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return merged(call_type(settings, type_of(cid)).settings, said)
