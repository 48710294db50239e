"""Everything operations may decide, each with a default: from ``WALLFLOWER_*`` variables and one TOML file.

Variables win over the file; nested names are joined by two underscores (``WALLFLOWER_BROKER__URL``). The file is
the one that ``WALLFLOWER_CONFIG`` names, else ``wallflower.toml`` in the current folder when there is one.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from egress.media.bitrates import bitrate_cap
from storage.keys import DEFAULT_TEMPLATE, KeyTemplateError, check_template

Seconds = Annotated[float, Field(gt=0)]


LONGEST_SOCKET_PATH = 99
"""Bytes. Unix socket paths have room for 107 and a terminator."""


class SettingsError(Exception):
    """The settings cannot be used. The text is one sentence for people."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSettings(_Section):
    url: SecretStr | None = None
    """SQLAlchemy URL; None is the SQLite file ``ledger.sqlite`` in the data folder."""
    busy_timeout: Seconds = 5.0
    """How long SQLite waits for another writer."""


class BrokerSettings(_Section):
    url: SecretStr = SecretStr("memory:")
    """``memory:``, ``redis://…`` (or ``rediss://``), ``amqp://…`` (or ``amqps://``)."""
    queue: str = Field(default="wallflower", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    threads: int = Field(default=2, ge=1, le=32)
    """Threads of a worker that take messages. Messages are short work: they only write wishes."""
    retries: int = Field(default=5, ge=0, le=20)
    """How often a message is tried again when the ledger is out of reach. Bad messages never are."""
    time_limit: Seconds = 30.0

    @field_validator("url")
    @classmethod
    def _known(cls, value: SecretStr) -> SecretStr:
        scheme = value.get_secret_value().split(":", 1)[0]
        if scheme not in ("memory", "redis", "rediss", "amqp", "amqps"):
            raise ValueError(f"{scheme}: is no broker; known are memory:, redis://, rediss://, amqp://, amqps://")
        return value


class StorageSettings(_Section):
    name: str = Field(default="local", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """What messages call it in ``recording_external_storage``."""
    folder: Path | None = None
    """Where finished files go; None is ``recordings`` in the data folder."""
    key_template: str = DEFAULT_TEMPLATE

    @field_validator("key_template")
    @classmethod
    def _template(cls, value: str) -> str:
        try:
            check_template(value)
        except KeyTemplateError as error:
            raise ValueError(str(error)) from None
        return value


class EventSettings(_Section):
    write_file: bool = True
    file: Path | None = None
    """JSON lines, one event a line; None is ``events.jsonl`` in the data folder."""
    stdout: bool = True


class RecordingSettings(_Section):
    fps: int = Field(default=30, ge=5, le=60)
    crf: int = Field(default=23, ge=10, le=40)
    max_bitrate: dict[Literal["360p", "480p", "720p", "1080p", "1440p"], PositiveInt] = Field(default_factory=dict)
    """Bits per second by resolution; what is not named keeps its default."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"
    threads: int = Field(default=1, ge=1, le=16)
    keyframe_interval: float = Field(default=2.0, ge=0.5, le=10)
    audio_bitrate: int = Field(default=128_000, ge=32_000, le=320_000)
    audio_only_format: Literal["mp3", "m4a"] = "mp3"
    roll_over_seconds: float = Field(default=7200.0, ge=1.0)
    delay: float = Field(default=1.0, ge=0.2, le=10.0)
    """Seconds that composition runs behind live."""


class SpoolSettings(_Section):
    reserve_hours: float = Field(default=1.0, ge=0)
    """Hours at the highest bit rate for which a recording must find room when it starts."""
    min_free: int = Field(default=256 * 2**20, ge=0)
    """Bytes that are left alone."""


class AttendantSettings(_Section):
    command: list[str] = Field(default_factory=lambda: [sys.executable, "-m", "egress.attend"], min_length=1)
    """What starts an attendant; ``--socket PATH`` is appended."""
    max: int = Field(default=8, ge=1, le=1000)
    """Calls that this worker attends at once; more of them wait."""
    spares: int = Field(default=1, ge=0, le=16)
    """Warm attendants that wait for a call."""
    spare_delay: float = Field(default=1.0, ge=0)
    """Seconds between the use of a spare and the start of the next one."""
    ready_timeout: Seconds = 30.0
    ping_interval: Seconds = 10.0
    silence: Seconds = 30.0
    """Seconds without a word after which an attendant is taken for stuck and killed."""
    leave_timeout: Seconds = 60.0
    """Seconds that an attendant may take to finish its files after it was told to leave."""
    orphan_timeout: float = Field(default=60.0, ge=1.0)
    keep_logs: int = Field(default=200, ge=0)
    """Log files of attendants that are kept; older ones go when a worker starts."""
    restarts: int = Field(default=5, ge=0)
    """Crashes in a row after which a call's recordings fail. The count starts anew after ``healthy`` seconds."""
    healthy: Seconds = 60.0
    backoff: float = Field(default=1.0, ge=0)
    """Seconds before the second restart in a row; each further one waits twice as long. The first is at once."""
    backoff_max: Seconds = 30.0


class AgentSettings(_Section):
    poll: float = Field(default=0.1, ge=0.01, le=0.15)
    lease: float = Field(default=30.0, ge=1.0)
    grace: float = Field(default=120.0, ge=0)
    """Seconds that a worker told to end waits for files to be finished and delivered."""


class Settings(BaseSettings):
    """All settings. ``load()`` reads them with errors made for people."""

    model_config = SettingsConfigDict(
        env_prefix="WALLFLOWER_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=False
    )

    data_dir: Path = Path("var")
    run_dir: Path | None = None
    """Sockets, logs and job files of attendants; None is ``run`` in the data folder."""
    spool_dir: Path | None = None
    """Where files are written; None is ``spool`` in the data folder."""
    worker_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:@-]{1,128}$")
    """Who holds leases; None is made of host name and data folder, and so outlives a restart."""
    ledger: LedgerSettings = LedgerSettings()
    broker: BrokerSettings = BrokerSettings()
    storage: StorageSettings = StorageSettings()
    events: EventSettings = EventSettings()
    recording: RecordingSettings = RecordingSettings()
    spool: SpoolSettings = SpoolSettings()
    attendants: AttendantSettings = AttendantSettings()
    agent: AgentSettings = AgentSettings()
    ice_networks: list[str] = Field(default_factory=list)
    """Local networks on which ICE may offer addresses; none named is every address but loopback."""
    ice_servers: list[dict[str, Any]] = Field(default_factory=list, repr=False)
    """STUN and TURN servers as RTCIceServer has them: urls, username, credential."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        found = config_file()
        return (*sources, TomlConfigSettingsSource(settings_cls, found)) if found else sources

    @property
    def ledger_url(self) -> str:
        if self.ledger.url is not None:
            return self.ledger.url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'ledger.sqlite'}"

    @property
    def runs(self) -> Path:
        return (self.run_dir or self.data_dir / "run").absolute()

    @property
    def sockets(self) -> Path:
        """The run folder, or a short one for sockets alone where the run folder's name is too long for them."""
        if len(os.fsencode(self.runs)) + len("/0123456789ab.sock") <= LONGEST_SOCKET_PATH:
            return self.runs
        digest = hashlib.sha256(os.fsencode(self.runs)).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"wallflower-{os.getuid()}-{digest}"

    @property
    def spools(self) -> Path:
        return (self.spool_dir or self.data_dir / "spool").absolute()

    @property
    def recordings(self) -> Path:
        return (self.storage.folder or self.data_dir / "recordings").absolute()

    @property
    def events_file(self) -> Path:
        return (self.events.file or self.data_dir / "events.jsonl").absolute()

    @property
    def owner(self) -> str:
        if self.worker_id is not None:
            return self.worker_id
        digest = hashlib.sha256(os.fsencode(self.runs)).hexdigest()[:8]
        return f"{socket.gethostname()}:{digest}"

    def bitrate_cap(self, size: tuple[int, int]) -> int | None:
        """Bits per second allowed for pictures of that width and height; None when there is no picture."""
        side = min(size)
        if side == 0:
            return None
        own = {str(name): cap for name, cap in self.recording.max_bitrate.items()}
        return own.get(f"{side}p") or bitrate_cap(*size, self.recording.fps)


def config_file() -> Path | None:
    """The TOML file that applies. Raises SettingsError when the one that is named is not there."""
    named = os.environ.get("WALLFLOWER_CONFIG")
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"WALLFLOWER_CONFIG names {named}, which is no file")
        return Path(named)
    default = Path("wallflower.toml")
    return default if default.is_file() else None


def load(**overrides: Any) -> Settings:
    """Read the settings. Raises SettingsError saying which one is wrong, and why."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"settings: {problems}") from None
    except SettingsError:
        raise
    except Exception as error:  # pydantic-settings and tomllib each raise kinds of their own for unreadable text
        raise SettingsError(f"settings cannot be read: {error}") from None
