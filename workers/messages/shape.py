"""What all messages have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, WithJsonSchema

from egress.protocol.job import CID
from workers.calls.addresses import check_address, is_sealed, opened
from workers.payload import shown
from workers.sentences import IDENTIFIER, At

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
"""1 to 64 letters, digits, ``_`` and ``-``."""
StoreName = Annotated[str, Field(min_length=1, max_length=64)]


def _cid(value: str) -> str:
    if not CID.fullmatch(value):
        raise ValueError(
            f"'{shown(value)}' is not allowed; it must look like 'type:id': up to 64 letters, digits, '_' and '-', "
            "a colon, up to 128 letters, digits and any of '_-.@!'"
        )
    return value


def _address(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    context = info.context or {}
    projects = context.get("projects")
    if not is_sealed(value):
        return check_address(value, projects)
    keyring = context.get("keyring")
    if keyring is not None:
        return check_address(opened(value, keyring), projects)
    if not isinstance(value["sealed"], str):
        raise At("sealed", "must be a Fernet token of the rest of the address as JSON")
    return value


Cid = Annotated[
    str, AfterValidator(_cid), WithJsonSchema({"type": "string", "pattern": f"^{CID.pattern}$", "maxLength": 193})
]
Connector = Annotated[
    dict[str, Any],
    AfterValidator(_address),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"type": {"type": "string"}, "sealed": {"type": "string"}},
            "required": ["type"],
        }
    ),
]
"""``type`` names the connector, the rest is that connector's; or the rest as a Fernet token in ``sealed``."""


class Message(BaseModel):
    """A message: strict, and nothing in it is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    call_cid: Cid
    """The call: ``type:id``."""
    request_id: str | None = Field(default=None, min_length=1, max_length=128)
    """Chosen by the sender: the message is then answered by an event ``egress.request_answered`` that carries it."""
