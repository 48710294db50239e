"""Whether somebody speaks, window by window: the Silero detector that faster-whisper brings, fed as sound comes.

The model that is shipped takes the windows of one voice at a time: its state has no room for several. So all tracks
share one session, each has a state of its own, and the windows that a track has ready go in one inference.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from egress.speech.contract import SAMPLE_RATE, Sound, SpeechError

WINDOW = 512
"""Samples the detector judges at once."""
WINDOW_SECONDS = WINDOW / SAMPLE_RATE
_CONTEXT = 64
"""Samples before a window that the detector looks at too."""
_STATE = (1, 1, 128)


class Voice:
    """What the detector remembers of one track."""

    __slots__ = ("cell", "context", "hidden")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """What comes next does not follow what came before."""
        self.hidden: NDArray[np.float32] = np.zeros(_STATE, np.float32)
        self.cell: NDArray[np.float32] = np.zeros(_STATE, np.float32)
        self.context: Sound = np.zeros(_CONTEXT, np.float32)


class Detector:
    """One inference session for all tracks. Raises SpeechError when the model is not there."""

    def __init__(self) -> None:
        # Here, because it takes a tenth of a second and 30 MB, which only those who listen should pay.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(
            str(model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, voice: Voice, windows: Sound) -> Sound:
        """Of speech, for each window: ``windows`` has shape (k, WINDOW), and they follow what ``voice`` heard last."""
        count = len(windows)
        told = np.empty((count, _CONTEXT + WINDOW), np.float32)
        told[:, _CONTEXT:] = windows
        told[0, :_CONTEXT] = voice.context
        told[1:, :_CONTEXT] = windows[:-1, -_CONTEXT:]
        found, voice.hidden, voice.cell = self._session.run(None, {"input": told, "h": voice.hidden, "c": voice.cell})
        voice.context = windows[-1, -_CONTEXT:].copy()
        probabilities: Sound = found.reshape(count)
        return probabilities


def model_path() -> Path:
    """Where the detector's model is. Raises SpeechError (``no_detector``)."""
    # Found without being imported: the package loads an inference engine that an attendant never uses.
    spec = find_spec("faster_whisper")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        path = Path(folder) / "assets" / "silero_vad_v6.onnx"
        if path.is_file():
            return path
    raise SpeechError(
        "no_detector",
        "the model silero_vad_v6.onnx is not in the package faster-whisper; install faster-whisper 1.2.1",
    )
