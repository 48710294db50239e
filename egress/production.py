"""What is made of a call for one composite egress: a program on its canvas, who directs it, and whom it hears."""

from __future__ import annotations

from collections.abc import Callable

from egress.atelier import Atelier, Paints
from egress.director import Director, Layout
from egress.hearing import Hearing
from egress.media.program import Program
from egress.media.video_source import TrackKey
from egress.protocol.encoding import Quality
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from layouts.orientation import canvas_size
from layouts.scene import CallView

MakeProgram = Callable[[tuple[int, int]], Program]
"""A program with a canvas of that size."""


class Production:
    """Before it is begun its canvas may be turned; its layout may change at any time. Event loop only.

    Of a page nothing is directed: its picture and its sound are what the page makes of itself.
    """

    def __init__(self, spec: CompositeRecording, atelier: Atelier, make: MakeProgram) -> None:
        self.quality: Quality = spec.quality
        self._egress_id = spec.egress_id
        self._atelier = atelier
        self._make = make
        self._layout = spec.layout
        self._directed = spec.page is None
        self.orients = spec.layout.detect_orientation and self._directed and bool(spec.quality.size[0])
        """Whether the canvas is still to be chosen by what is shown."""
        self.program: Program
        self.director: Director | None = None
        self.hearing: Hearing | None = None
        self._paints: Paints | None = None
        self._begin()

    def _begin(self) -> None:
        self.program = self._make(self.quality.size)
        if not self._directed:
            return
        layout = Layout(self._layout.name, self._layout.options)
        self.hearing = Hearing(self.program, layout)
        if not self.quality.size[0]:
            return
        self._paints = self._atelier.paints(self._egress_id, self._layout, self.quality.size)
        paints = self._paints
        self.director = Director(self.program, layout, paints.thread, paints.maker, skips=paints.slow)

    def orient(self, view: CallView, now: float) -> None:
        """Choose the canvas, for good, by the shapes of what is in the call."""
        self.orients = False
        width, height = canvas_size(self.quality.size, True, view)
        quality = self.quality.turned(portrait=height > width)
        if quality is not self.quality:
            self.put_away()
            self.quality = quality
            self._begin()
            self.update(view, now)

    def change(self, settings: LayoutSettings) -> None:
        """Draw by another layout from the next look at the call on, on the same canvas. Raises LayoutError."""
        if self.hearing is None:
            return
        layout = Layout(settings.name, settings.options)
        self.hearing.change(layout)
        if self.director is not None:
            self.director.change(layout)
            if settings.external_css_url != self._layout.external_css_url:
                before, self._paints = self._paints, self._atelier.paints(self._egress_id, settings, self.quality.size)
                self.director.repaint(self._paints.thread, self._paints.maker, skips=self._paints.slow)
                if before is not None:
                    before.put_away()
        self._layout = settings

    def update(self, view: CallView, now: float) -> None:
        """Look at the call as it is ``now`` (monotonic seconds)."""
        if self.hearing is not None:
            self.hearing.update(view, now)
        if self.director is not None:
            self.director.update(view, now)

    def shown(self) -> list[TrackKey]:
        """The tracks that are in the picture."""
        return [] if self.director is None else list(self.director.wishes())

    def put_away(self) -> None:
        """Nothing more is made."""
        if self.director is not None:
            self.director.put_away()
        if self._paints is not None:
            self._paints.put_away()
            self._paints = None
