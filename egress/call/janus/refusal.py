"""Which answers of Janus mean that trying again would not help, and how to say so."""

from __future__ import annotations

from egress.call.connector import ConnectorError
from egress.call.janus.client import JanusError

# apierror.h of Janus
_UNAUTHORIZED = 403
_UNAUTHORIZED_PLUGIN = 405
_NO_SUCH_PLUGIN = 460
# the VideoRoom plugin
_NO_SUCH_ROOM = 426
_MISSING_ELEMENT = 429
_INVALID_ELEMENT = 430
_REFUSED = 433


def pvtid_required() -> ConnectorError:
    """A room in which only those may subscribe who are seen."""
    return ConnectorError(
        "pvtid_required",
        "this room demands a private id (require_pvtid), which only a visible participant has: "
        "turn require_pvtid off for rooms that a hidden guest shall attend",
    )


def refusal(error: JanusError) -> ConnectorError | None:
    """The final error that this answer is, or None when it may pass."""
    said = str(error)
    if not error.plugin:
        return {
            _UNAUTHORIZED: ConnectorError(
                "unauthorized", f"Janus wants another apisecret or token than it was given ({said})"
            ),
            _UNAUTHORIZED_PLUGIN: ConnectorError(
                "unauthorized", f"this token may not use the VideoRoom plugin of Janus ({said})"
            ),
            _NO_SUCH_PLUGIN: ConnectorError("no_videoroom", "this Janus has no VideoRoom plugin"),
        }.get(error.code)
    if error.code == _NO_SUCH_ROOM:
        return ConnectorError("room_not_found", "Janus has no such room")
    if error.code in (_MISSING_ELEMENT, _REFUSED):
        if "private_id" in said:
            return pvtid_required()
        if "pin" in said:
            return ConnectorError("wrong_pin", f"the room wants another pin than it was given ({said})")
        if "secret" in said:
            return ConnectorError("wrong_secret", f"the room wants another secret than it was given ({said})")
        if error.code == _REFUSED:
            return ConnectorError("unauthorized", f"the room refuses us ({said})")
    if error.code == _INVALID_ELEMENT and "room" in said:
        return ConnectorError("room_invalid", f"Janus does not take this kind of room name ({said})")
    return None
