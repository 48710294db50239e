"""Which store a call's files go to."""

from __future__ import annotations

from workers.calls.types import call_type, type_of
from workers.ledger.tables import Call
from workers.payload import shown
from workers.refused import BadMessage
from workers.settings import Settings


def known_stores(settings: Settings) -> list[str]:
    return list(dict.fromkeys(["local", *(store.name for store in settings.stores)]))


def checked(settings: Settings, name: str, field: str) -> str:
    """The name, when there is such a store. Raises BadMessage naming those that there are."""
    known = known_stores(settings)
    if name not in known:
        raise BadMessage(f"{field}: '{shown(name)}' is no storage; known are {', '.join(known)}")
    return name


def store(
    settings: Settings,
    call: Call | None,
    cid: str,
    said: str | None = None,
    field: str = "recording_external_storage",
) -> str:
    """The message's store, else the call's, else its type's, else the default one. Raises BadMessage."""
    if said is not None:
        return checked(settings, said, field)
    if call is not None and call.external_storage is not None:
        return checked(settings, call.external_storage, "the call's external_storage")
    type_ = call_type(settings, type_of(cid))
    if type_.external_storage is not None:
        return checked(settings, type_.external_storage, f"call_types.{type_.name}.external_storage")
    return checked(settings, settings.storage.default, "storage.default")
