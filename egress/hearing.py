"""Whom a program hears: everybody, unless its layout's options say otherwise."""

from __future__ import annotations

from egress.director import Layout
from egress.media.mixer import NOBODY
from egress.media.program import Program
from layouts.audible import heard
from layouts.options import parse_options
from layouts.scene import CallView


class Hearing:
    """Tells one program whose voices to leave out. Event loop only."""

    def __init__(self, program: Program, layout: Layout) -> None:
        """Raises LayoutError."""
        self._program = program
        self._options = parse_options(layout.name, layout.options)
        self._unheard = NOBODY

    def change(self, layout: Layout) -> None:
        """Go by other options from the next look at the call on. Raises LayoutError, and goes on as before."""
        self._options = parse_options(layout.name, layout.options)

    def update(self, view: CallView, now: float) -> None:
        """Look at the call as it is ``now`` (monotonic seconds)."""
        unheard = frozenset(guest.session_id for guest in view.participants) - heard(self._options, view)
        if unheard != self._unheard:
            self._unheard = unheard
            self._program.leave_out(now, unheard)
