"""Who somebody is, from what LiveKit says of a participant. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from livekit.protocol import models

from egress.call.model import Participant

_PRESENT = (models.ParticipantInfo.JOINED, models.ParticipantInfo.ACTIVE)
_LONGEST_NAME = 255
_LONGEST_IMAGE = 2048
_LONGEST_ROLE = 64
_MOST_ROLES = 32
_LONGEST_JSON = 65_536
"""Characters of metadata, or of roles, that are read."""


def participant(info: models.ParticipantInfo, roles_key: str) -> Participant:
    """The participant of the call that this is.

    Roles are what the attribute ``roles_key`` says, or else that key in metadata that is a JSON object: a text with
    commas, or a list. So is the image, under ``image``, when it is an http or https URL.
    """
    metadata = _object(info.metadata)
    name = info.name.strip() or info.identity
    return Participant(
        session_id=info.sid,
        user_id=info.identity[:_LONGEST_NAME],
        name=name[:_LONGEST_NAME],
        roles=_roles(info.attributes.get(roles_key)) or _roles(metadata.get(roles_key)),
        image=_image(info.attributes.get("image")) or _image(metadata.get("image")),
    )


def is_guest(info: models.ParticipantInfo) -> bool:
    """Whether somebody is in the room who is seen or heard there: people, phones, agents and ingresses.

    Hidden participants are not, of which we are one, and LiveKit's own recorder is not.
    """
    return info.state in _PRESENT and not info.permission.hidden and info.kind != models.ParticipantInfo.EGRESS


def _object(text: str) -> Mapping[str, Any]:
    found = _json(text) if text.lstrip().startswith("{") else None
    return found if isinstance(found, dict) else {}


def _json(text: str) -> object:
    if len(text) > _LONGEST_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _roles(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        # Attributes are texts, so that a list in one is JSON again.
        found = _json(value) if value.lstrip().startswith("[") else None
        value = found if isinstance(found, list) else value[:_LONGEST_JSON].split(",")
    if not isinstance(value, list):
        return ()
    named = (item.strip()[:_LONGEST_ROLE] for item in value[:_MOST_ROLES] if isinstance(item, str))
    return tuple(dict.fromkeys(role for role in named if role))


def _image(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_IMAGE:
        return None
    return value if value.startswith(("https://", "http://")) else None
