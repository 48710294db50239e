"""The last lines that a page wrote to its console, for the error that tells why it could not be captured."""

from __future__ import annotations

from collections import deque

from egress import logs

MOST_LINES = 8
LONGEST_LINE = 120
START, END = "START_RECORDING", "END_RECORDING"


class Console:
    """Bounded, and without secrets that are known or look like ones."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    def take(self, kind: str, text: str) -> None:
        """A line of that kind (``error``, ``warning``, ``log`` …)."""
        # Cleaned before it is cut: half a secret would not be recognised.
        line = " ".join(logs.clean(text[:10_000]).split())
        if line:
            cut = line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
            self._lines.append(f"{kind}: {cut}")

    @property
    def said(self) -> str:
        """A half sentence to be appended to an error; empty when nothing was said."""
        return f"; its console said: {' | '.join(self._lines)}" if self._lines else ""
