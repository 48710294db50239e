"""Where a call's room is: said by a message, by the call, or by its type's template."""

from __future__ import annotations

from typing import Any

from workers.calls.addresses import check_address, filled
from workers.calls.projects import resolved
from workers.calls.types import call_type, type_of
from workers.ledger.tables import Call
from workers.refused import BadMessage
from workers.sentences import At
from workers.settings import Settings


def room(settings: Settings, call: Call | None, cid: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
    """The address of the room, checked. Raises BadMessage when there is none, or none that can be used."""
    if said is not None:
        return said
    found = room_or_none(settings, call, cid)
    if found is None:
        name = call_type(settings, type_of(cid)).name
        raise BadMessage(f"connector: is missing, and neither the call nor its type '{name}' names a room")
    return found


def room_or_none(settings: Settings, call: Call | None, cid: str) -> dict[str, Any] | None:
    """The room that the call or its type names, checked; None when neither does. Raises BadMessage."""
    if call is not None and call.connector is not None:
        try:
            resolved(call.connector, settings.projects)
        except At as error:
            raise BadMessage(*(f"the call's connector.{line}" for line in error.lines)) from None
        return call.connector
    type_ = call_type(settings, type_of(cid))
    if type_.connector is None:
        return None
    address: dict[str, Any] = filled(type_.connector, cid)
    try:
        return check_address(address, settings.projects)
    except At as error:
        raise BadMessage(*(f"call_types.{type_.name}.connector.{line}" for line in error.lines)) from None
