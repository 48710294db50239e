"""The engine of a host that makes text of speech, as a worker sees to it: from its settings to why there is none."""

from __future__ import annotations

import time

from egress.protocol.speech import EXTERNAL, SpeechService
from egress.speech.contract import EngineSettings, SpeechError
from egress.speech.languages import AUTO
from egress.speech.supervisor import EngineState, EngineSupervisor, check
from workers.settings import Settings, SettingsError

NO_MODEL = "no_speech_model"
PATIENCE = 60.0
"""Seconds for which an engine that ran may fail to come back before what needs it fails."""


def engine_settings(settings: Settings) -> EngineSettings | None:
    """None where no model is named."""
    speech = settings.speech
    if speech.model is None:
        return None
    return EngineSettings(
        engine=speech.engine,
        model=speech.model,
        device=speech.device,
        compute_type=speech.compute_type,
        threads=speech.threads,
        workers=speech.workers,
        beam_size=speech.beam_size,
        window=speech.window,
        download=speech.download,
        languages=tuple(code for code in speech.languages if code != AUTO),
        translators={language: folder.absolute() for language, folder in speech.translators.items()},
    )


class SpeechEngine:
    """One a worker. Lives on the event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for a model that cannot be loaded, as far as that is known before it is tried."""
        wanted = engine_settings(settings)
        self._supervisor: EngineSupervisor | None = None
        self._ran = False
        self._failing_since: float | None = None
        self._external = settings.speech.external
        self._name = settings.speech.engine
        if wanted is not None:
            try:
                check(wanted)
            except SpeechError as error:
                raise SettingsError(f"settings: speech: {error.message}") from None
            folder = settings.sockets / "speech"
            self._supervisor = EngineSupervisor(wanted, folder, on_state=self._changed)

    def start(self) -> None:
        """See to it that there is an engine, if a model is named."""
        if self._supervisor is not None:
            self._supervisor.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._supervisor.start()

    async def close(self) -> None:
        """Let go of it: it ends when no attendant uses it."""
        if self._supervisor is not None:
            await self._supervisor.close()

    @property
    def service(self) -> SpeechService | None:
        """Where attendants find it."""
        if self._supervisor is None:
            return SpeechService(socket=None, service=EXTERNAL) if self._external else None
        return SpeechService(socket=self._supervisor.socket, service=self._name)

    @property
    def failure(self) -> tuple[str, str] | None:
        """Why nothing can be made into text: a word for programs, a sentence for people. None while it can, or soon."""
        if self._supervisor is None:
            why = NO_MODEL, "no text can be made of speech: name a model in the settings (speech.model)"
            return None if self._external else why
        found = self._supervisor.failure
        if found is None or self._failing_since is None:
            return None
        if self._ran and time.monotonic() - self._failing_since < PATIENCE:
            return None
        return found.code, found.message

    @property
    def languages(self) -> frozenset[str]:
        """Those that the engine understands; empty before it was loaded."""
        return self._supervisor.languages if self._supervisor is not None else frozenset()

    def _changed(self, state: EngineState) -> None:
        if state is EngineState.READY:
            self._ran, self._failing_since = True, None
        elif state is EngineState.FAILED and self._failing_since is None:
            self._failing_since = time.monotonic()
