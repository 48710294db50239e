"""The worker's side of an engine process: started when it is wanted, watched, restarted, ended when nobody needs it.

Attendants outlive their worker, and so does the engine: one with the same settings is found again by its socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from egress.speech.contract import EngineSettings, SpeechError
from egress.speech.engine_process import EngineProcess, end
from egress.speech.engine_settings import checked, to_json
from egress.speech.engines.model_folder import checked_folder, checked_name, is_folder
from egress.speech.engines.registry import engine
from egress.speech.languages import target
from egress.speech.wire import WireError, message, receive

log = logging.getLogger(__name__)

PAUSES = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before an engine that ended is started again; the last one over and over."""
STEADY = 60.0
"""Seconds an engine must have lived for its end to be no series."""
STARTING = 300.0
"""Seconds that loading may take."""
DOWNLOADING = 3600.0
"""Seconds that it may take where a model may have to be fetched first."""
PINGS = 2.0
UNANSWERED = 15.0
"""Seconds without an answer to a ping after which an engine hangs."""
FAREWELL = 2.0
"""Seconds that an engine has to hang up when it is told that its worker goes."""
HANGS = 60.0
"""Seconds that an inference may take for each of its segments."""
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH"),
    *("OMP_NUM_THREADS", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"),
)
"""Of our environment, what an engine gets."""
FOR_DOWNLOADS = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What it gets beside that where it may fetch a model."""


class EngineState(StrEnum):
    OFF = "off"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


def check(settings: EngineSettings) -> None:
    """What can be said of the settings without loading a model. Raises SpeechError with a sentence what to do."""
    checked(settings)
    engine(settings)
    if settings.engine == "faster-whisper":
        if is_folder(settings.model):
            checked_folder(settings.model)
        else:
            checked_name(settings.model)
    for code, folder in settings.translators.items():
        target(code)
        if not folder.is_dir():
            raise SpeechError(
                "model_missing",
                f"the folder {folder} of speech.translators.{code} does not exist; "
                "put a converted (CTranslate2) translation model there",
            )


class EngineSupervisor:
    """Event loop only."""

    def __init__(
        self,
        settings: EngineSettings,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        hangs: float = HANGS,
        on_state: Callable[[EngineState], None] = lambda state: None,
    ) -> None:
        self.settings = settings
        self.socket = folder / "engine.sock"
        """Where attendants find the engine; in a folder that is ours alone."""
        self.state = EngineState.OFF
        self.failure: SpeechError | None = None
        """Why there is no engine, when ``state`` is FAILED."""
        self.starts = 0
        self.told: dict[str, Any] = {}
        """The last answer to a ping: waiting, segments, batches, sound_seconds, busy_seconds, merged, oldest."""
        self.languages: frozenset[str] = frozenset()
        """Those that the engine understands; empty before it was there."""
        self.pid: int | None = None
        self._hangs = hangs
        self._environment = dict(environment) if environment is not None else _environment(settings)
        self._on_state = on_state
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._retire = False
        self._writer: asyncio.StreamWriter | None = None

    def start(self) -> None:
        """See to it from now on that there is an engine. Returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def ensure(self, timeout: float = STARTING) -> None:
        """Start it unless it runs, and wait until it is ready. Raises SpeechError."""
        self.start()
        try:
            async with asyncio.timeout(timeout):
                while self.state is not EngineState.READY:
                    if self.state is EngineState.FAILED and self.failure is not None:
                        raise self.failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise SpeechError(
                "engine_unusable", f"the speech engine {self.settings.engine} was not ready within {timeout:g} s"
            ) from None

    async def close(self) -> None:
        """Let go of the engine: it ends as soon as no attendant uses it."""
        if self._task is None:
            return
        self._retire = True
        if self._writer is not None:
            self._writer.write(message({"op": "retire"}))
            # It hangs up when it has heard that.
            await asyncio.wait({self._task}, timeout=FAREWELL)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._set(EngineState.OFF)

    def _set(self, state: EngineState, failure: SpeechError | None = None) -> None:
        self.failure = failure
        if state is not self.state:
            log.info("the speech engine is %s", state)
            self.state = state
            self._on_state(state)
        self._changed.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        ended = 0
        while True:
            began = loop.time()
            try:
                if not await self._adopt():
                    await self._run()
            except SpeechError as error:
                log.warning("no speech engine: %s", error.message)
                self._set(EngineState.FAILED, error)
            except OSError as error:
                log.warning("the speech engine could not be started: %s", error)
                self._set(EngineState.FAILED, SpeechError("engine_unusable", f"it could not be started: {error}"))
            if self._retire:
                return
            ended = 1 if loop.time() - began > STEADY else ended + 1
            await asyncio.sleep(PAUSES[min(ended, len(PAUSES)) - 1])

    async def _adopt(self) -> bool:
        """Go on with the engine that a worker before us left; False when there is none of our kind."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return False
        try:
            hello, _ = await receive(reader)
            pid = int(hello["pid"])
            if hello.get("settings") != to_json(self.settings):
                log.info("the engine process %d has other settings and is ended", pid)
                await end(pid)
                return False
            log.info("the engine process %d is here already", pid)
            self.pid = pid
            self.languages = frozenset(hello.get("languages", ()))
            writer.write(message({"op": "stay"}))
            await self._watch(reader, writer)
        except (asyncio.IncompleteReadError, OSError, WireError, KeyError, ValueError):
            return False
        finally:
            writer.close()
            self._writer = None
        return True

    async def _run(self) -> None:
        """One engine process, from its start to its end. Raises SpeechError when it cannot be loaded."""
        self._set(EngineState.STARTING)
        self.starts += 1
        process = EngineProcess(self.settings, self.socket, self._environment)
        self.pid = process.pid
        try:
            await process.loaded(DOWNLOADING if self.settings.download else STARTING)
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
            try:
                hello, _ = await receive(reader)
                self.languages = frozenset(hello.get("languages", ()))
                await self._watch(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError, WireError):
                if not self._retire:
                    log.warning("the speech engine is gone")
            finally:
                writer.close()
                self._writer = None
        finally:
            if not (self._retire and self.state is EngineState.READY):
                await process.kill()

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ping it until it is gone, or hangs; then it is killed."""
        self._writer = writer
        self._set(EngineState.READY)
        try:
            while True:
                writer.write(message({"op": "ping"}))
                await writer.drain()
                async with asyncio.timeout(UNANSWERED):
                    self.told, _ = await receive(reader)
                if self.told.get("busy", 0.0) > self._hangs:
                    raise TimeoutError
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(PINGS, self._hangs / 2)):
                        # It says nothing that it is not asked: this ends when it does.
                        await receive(reader)
        except TimeoutError:
            log.warning("the speech engine hangs and is killed")
            assert self.pid is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        finally:
            self._writer = None
            if not self._retire:
                self._set(EngineState.STARTING)


def _environment(settings: EngineSettings) -> dict[str, str]:
    wanted = INHERITED + FOR_DOWNLOADS if settings.download else INHERITED
    return {name: os.environ[name] for name in wanted if name in os.environ}
