"""A call backend: it sends messages about one call, waits for their answers, and keeps when they were taken."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tests.rig.product import Product, moment


@dataclass(slots=True)
class Backend:
    """``taken`` says of each step when its message was taken, in seconds since 1970 by the ledger's word."""

    product: Product
    cid: str
    taken: dict[str, float] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def send(self, step: str, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a message and return its answer; ``step`` is its request id, and the name under which it is kept."""
        code, said = await self.product.send({"type": type_, "call_cid": self.cid, "request_id": step, **fields})
        assert code == 0, said
        deadline = time.monotonic() + 15
        while not (found := self._answer(step)):
            assert time.monotonic() < deadline, f"{step} was not answered: {self.product.events()}\n{self.product.log}"
            await asyncio.sleep(0.02)
        assert found["ok"], found
        self.answers[step] = found
        self.taken[step] = moment(found["created_at"])
        return found

    def _answer(self, step: str) -> dict[str, Any] | None:
        events = self.product.events("egress.request_answered")
        return next((event for event in events if event["request_id"] == step), None)

    def seconds(self, start: float) -> dict[str, float]:
        """When each step was taken, in seconds of a recording that began at ``start``."""
        return {step: at - start for step, at in self.taken.items()}
