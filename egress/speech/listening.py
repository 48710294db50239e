"""The listening thread of an attendant: hears all tracks of a call, a few times a second, with one detector."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from egress.rtc.track import MediaTrack
from egress.speech.activity import Detector, model_path
from egress.speech.contract import Segmenting
from egress.speech.ear import Ear
from egress.speech.segments import Segmenter, Speech

log = logging.getLogger(__name__)

ROUND = 0.048
"""Seconds between rounds."""

SpeechListener = Callable[[str, Speech], None]
"""Called on the listening thread with the speaker and what they said; times are monotonic."""


@dataclass(slots=True, eq=False)
class Hearing:
    """One track that is heard. Event loop only."""

    speaker: str
    ear: Ear
    _unlisten: Callable[[], None]
    ended: bool = field(default=False)

    def mute(self, muted: bool) -> None:
        """Whether the speaker says to be muted: then nothing is heard, whatever comes."""
        self.ear.muted = muted

    def end(self) -> None:
        """The track is gone; what was being said is closed."""
        if not self.ended:
            self._unlisten()
            self.ended = True


class Listening:
    """Event loop only, but for ``_run``. Raises SpeechError from ``start`` when there is no detector."""

    def __init__(self, segmenting: Segmenting, on_speech: SpeechListener) -> None:
        self._segmenting = segmenting
        self._on_speech = on_speech
        self._hearings: list[Hearing] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.processor_seconds = 0.0
        """Time of a processor that listening took."""

    def start(self) -> None:
        if self._thread is None:
            model_path()
            self._thread = threading.Thread(target=self._run, name="listen", daemon=True)
            self._thread.start()

    def hear(self, speaker: str, track: MediaTrack) -> Hearing:
        """Hear a track of ``speaker`` from now on."""
        ear = Ear(track, Segmenter(self._segmenting))
        hearing = Hearing(speaker, ear, track.listen(ear.take))
        self._hearings.append(hearing)
        return hearing

    def configure(self, segmenting: Segmenting) -> None:
        """Segments that are open now are the first to be cut otherwise."""
        self._segmenting = segmenting
        for hearing in self._hearings:
            hearing.ear.segmenter.segmenting = segmenting

    def stop(self) -> None:
        """End; what is being said is closed and told before this returns."""
        for hearing in self._hearings:
            hearing.end()
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        detector = Detector()
        while not self._over.wait(ROUND):
            self._round(detector)
        self._round(detector)

    def _round(self, detector: Detector) -> None:
        for hearing in tuple(self._hearings):
            ended = hearing.ended
            try:
                closed = hearing.ear.close(detector) if ended else hearing.ear.listen(detector, time.monotonic())
                for speech in closed:
                    self._on_speech(hearing.speaker, speech)
            except Exception:
                # One track's fault must not silence the others.
                log.exception("a track of %s cannot be heard", hearing.speaker)
            if ended:
                self._hearings.remove(hearing)
        self.processor_seconds = time.thread_time()
