"""What can go wrong with a page, and how often it is tried again."""

from __future__ import annotations

from dataclasses import dataclass

HEALTHY = 60.0
"""Seconds of a page without trouble after which it counts as well again."""
MOST_RESTARTS = 3
BACK_OFF = 0.5
"""Seconds before the first restart; each further one in a row waits twice as long."""
_PASSING = (408, 425, 429)


class PageTrouble(Exception):
    """The page cannot be captured, or no longer. ``code`` is a word for programs, the text one sentence for people."""

    def __init__(self, code: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.final = final
        """Whether trying again would not help."""


def refused(shown: str, status: int) -> PageTrouble:
    """The trouble that an HTTP status of 400 or more is."""
    final = status < 500 and status not in _PASSING
    return PageTrouble("page_refused", f"{shown} answered with the HTTP status {status}", final=final)


def led_away(shown: str, sentence: str) -> PageTrouble:
    """The trouble that a page is which leads to where the guard lets nobody go; ``sentence`` is the guard's."""
    return PageTrouble("url_refused", f"{shown} leads to what may not be captured: {sentence}", final=True)


@dataclass(slots=True)
class Tries:
    """Decides whether a page that failed is loaded again."""

    failed: int = 0
    """Times in a row."""

    def pause(self, healthy_for: float) -> float | None:
        """Seconds to wait before the next try, after a try that was well for so long; None when it is given up."""
        self.failed = 1 if healthy_for >= HEALTHY else self.failed + 1
        return None if self.failed > MOST_RESTARTS else float(BACK_OFF * 2 ** (self.failed - 1))
