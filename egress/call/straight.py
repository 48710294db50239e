"""A WebSocket that goes where it is told and nowhere else."""

from __future__ import annotations

from websockets.asyncio.client import connect


class StraightConnect(connect):
    """``connect`` of websockets, but for redirects: one would take what opens a room to whoever it names."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc
