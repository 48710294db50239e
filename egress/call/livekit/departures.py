"""What it means when LiveKit lets us go, turns us away or closes the connection, and what to do then. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from livekit.protocol import models, rtc

from egress.call.connector import ROOM_GONE, ConnectorError
from egress.call.livekit.api import not_livekit, unauthorized
from egress.call.livekit.signal import Turned
from egress.call.model import REMOVED


class Then(enum.Enum):
    RESUME = enum.auto()
    """Go on with the same participant: the media may still flow."""
    REJOIN = enum.auto()
    """Join anew."""
    WAIT = enum.auto()
    """The room was closed because everybody had gone; join when somebody comes."""
    END = enum.auto()


@dataclass(frozen=True, slots=True)
class Departure:
    then: Then
    reason: str
    code: str = ""
    """Of the end, as in :class:`egress.call.model.Ended`."""


def departure(leave: rtc.LeaveRequest) -> Departure:
    """What a message ``leave`` of the server means."""
    match leave.reason:
        case models.PARTICIPANT_REMOVED:
            return Departure(Then.END, "removed by an administrator", REMOVED)
        case models.ROOM_DELETED:
            return Departure(Then.END, "the room was deleted")
        case models.ROOM_CLOSED:
            return Departure(Then.WAIT, "the room was closed")
        case models.DUPLICATE_IDENTITY:
            return Departure(Then.REJOIN, "somebody joined under our identity")
    name = _name(leave.reason)
    if leave.action == rtc.LeaveRequest.RESUME:
        return Departure(Then.RESUME, f"LiveKit asks us to resume ({name})")
    return Departure(Then.REJOIN, f"LiveKit let us go ({name})")


def refusal(turned: Turned) -> ConnectorError:
    """What an answer of HTTP to the join means; none of them helps to be asked again."""
    said = str(turned)
    lower = said.lower()
    if turned.status == 401:
        if "permission" in lower:
            return ConnectorError("permission_denied", "LiveKit says that the token may not join this room")
        return unauthorized(said)
    if turned.status == 403:
        return ConnectorError("permission_denied", f"LiveKit does not let us join ({said or 403})")
    if turned.status == 404 and "room" in lower:
        return ConnectorError(ROOM_GONE, "LiveKit has no such room and makes none by itself")
    if turned.status == 400:
        return ConnectorError("refused", f"LiveKit refuses the join ({said or 400})")
    return not_livekit(f"with HTTP {turned.status}")


def _name(reason: int) -> str:
    try:
        return models.DisconnectReason.Name(reason).lower().replace("_", " ")
    except ValueError:
        return str(reason)
