"""What an attendant said and the ledger does not have yet, so that it is heard also while the ledger is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from egress.protocol.reports import Pong, Report


class Inbox:
    """Numbered reports all, in their order; of those that tell a passing state only the newest of each egress.

    An attendant keeps a bounded number of reports that nobody acknowledged, and so does this.
    """

    def __init__(self) -> None:
        self._numbered: deque[Report] = deque()
        self._passing: dict[tuple[str, str | None], Report] = {}
        self._came = asyncio.Event()
        self._closed = False

    def put(self, report: Report) -> None:
        if report.seq:
            self._numbered.append(report)
        elif not isinstance(report, Pong):
            self._passing[(report.report, getattr(report, "egress_id", None))] = report
        self._came.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._came.set()

    async def reports(self) -> AsyncIterator[Report]:
        """What came and what will come, until the inbox is closed and empty."""
        while True:
            while self._numbered or self._passing:
                if self._numbered:
                    yield self._numbered.popleft()
                else:
                    yield self._passing.pop(next(iter(self._passing)))
            if self._closed:
                return
            self._came.clear()
            await self._came.wait()
