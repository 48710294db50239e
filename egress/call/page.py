"""The connector ``page``: no room at all, for recordings of web pages that have nothing to do with a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from egress.call.connector import Abilities, Attendance, Attending
from egress.call.model import CallEvent, Connected, Participant, TrackType, Wants


class PageAddress(BaseModel):
    """Nowhere: what is recorded is said by the message that starts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["page"] = "page"


class PageAttendance:
    """See :class:`egress.call.connector.Attendance`. Nobody ever comes."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    async def events(self) -> AsyncIterator[CallEvent]:
        if not self._closed.is_set():
            yield Connected()
        await self._closed.wait()

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        """There is nothing to be wanted."""

    async def close(self) -> None:
        self._closed.set()


class PageConnector:
    """See :class:`egress.call.connector.Connector`."""

    type = "page"
    Address = PageAddress
    abilities = Abilities()

    async def watch(self, address: Any) -> Sequence[Participant]:
        return []

    def attend(self, address: Any, attending: Attending) -> Attendance:
        return PageAttendance()


CONNECTOR = PageConnector()
