"""The job of an attendant: one call to attend."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from egress.protocol.directions import Directions
from egress.protocol.model import Strict
from egress.protocol.specs import EgressSpec
from egress.protocol.speech import SpeechService
from egress.rtc.ice_settings import IceSettings
from egress.url_guard import Guard

CID = re.compile(r"[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_.@!-]{1,128}")


class GuardRules(Strict):
    """Which addresses outside may be spoken to, for pictures that messages and participants name."""

    schemes: frozenset[Literal["http", "https"]] = frozenset({"https", "http"})
    allow_private: tuple[str, ...] = ()
    """Networks such as ``10.0.0.0/8`` that are allowed although they are private, local or reserved."""

    @field_validator("allow_private")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no network such as 10.0.0.0/8") from None
        return value

    def guard(self) -> Guard:
        return Guard(self.schemes, self.allow_private)


class Job(Strict):
    """One call to attend."""

    call_cid: str
    session_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    epoch: int = Field(default=1, ge=1)
    connector: dict[str, Any]
    """The address of the room: ``type`` names the connector, the rest is that connector's."""
    ice: IceSettings = IceSettings()
    guard: GuardRules = GuardRules()
    spool: Path
    """Folder in which files are written, one folder an egress; made when missing."""
    speech: SpeechService | None = None
    """Needed for what is made of speech."""
    delay: float = Field(default=1.0, ge=0.2, le=10.0)
    """Seconds that composition runs behind live."""
    orphan_timeout: float = Field(default=60.0, ge=1.0)
    """Seconds without a word from an agent after which files are finished and the attendant exits."""
    duration: float | None = Field(default=None, gt=0)
    """Leave by itself after so many seconds of recording (for runs by hand)."""
    egresses: list[EgressSpec] = Field(default_factory=list)
    directions: Directions = Directions()
    """What is said of participants from the beginning."""

    @field_validator("call_cid")
    @classmethod
    def _cid(cls, value: str) -> str:
        if not CID.fullmatch(value):
            raise ValueError("call_cid must look like 'type:id' (letters, digits, '_' and '-')")
        return value

    @model_validator(mode="after")
    def _type(self) -> Job:
        if not isinstance(self.connector.get("type"), str):
            raise ValueError("connector.type must name a connector")
        return self
