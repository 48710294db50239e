"""Everything operations may decide, each with a default: from ``WALLFLOWER_*`` variables and one TOML file.

Variables win over the file; nested names are joined by two underscores (``WALLFLOWER_BROKER__URL``). The file is
the one that ``WALLFLOWER_CONFIG`` names, else ``wallflower.toml`` in the current folder when there is one.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from egress.media.bitrates import bitrate_cap
from workers.calls.projects import problems
from workers.settings.call_types import CallType
from workers.settings.sections import (
    AgentSettings,
    AttendantSettings,
    BrokerSettings,
    EventSettings,
    GuardSettings,
    HttpSettings,
    LedgerSettings,
    LogSettings,
    PageSettings,
    RecordingSettings,
    SecretSettings,
    SpeechSettings,
    SpoolSettings,
    StorageSettings,
)
from workers.settings.stores import Store, check_names

__all__ = ["LONGEST_SOCKET_PATH", "EventSettings", "Settings", "SettingsError", "config_file", "load"]

ProjectName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

LONGEST_SOCKET_PATH = 99
"""Bytes. Unix socket paths have room for 107 and a terminator."""


class SettingsError(Exception):
    """The settings cannot be used. The text is one sentence for people."""


class Settings(BaseSettings):
    """All settings. ``load()`` reads them with errors made for people."""

    model_config = SettingsConfigDict(
        env_prefix="WALLFLOWER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=False,
        use_attribute_docstrings=True,
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
    stores: list[Store] = Field(default_factory=list, max_length=10)
    """Stores beside ``local``, found by their names."""
    call_types: dict[str, CallType] = Field(default_factory=dict)
    """Call types beside the four built-in ones, or in their place."""
    projects: dict[ProjectName, dict[str, Any]] = Field(default_factory=dict, repr=False)
    """Servers with what opens them, each a connector object without its room. An address of a room that has
    ``type``, ``room`` and, in ``project``, the name of one needs no URL and no secrets."""
    events: EventSettings = EventSettings()
    recording: RecordingSettings = RecordingSettings()
    speech: SpeechSettings = SpeechSettings()
    spool: SpoolSettings = SpoolSettings()
    attendants: AttendantSettings = AttendantSettings()
    agent: AgentSettings = AgentSettings()
    secrets: SecretSettings = SecretSettings()
    http: HttpSettings = HttpSettings()
    logs: LogSettings = LogSettings()
    guard: GuardSettings = GuardSettings()
    pages: PageSettings = PageSettings()
    ice_networks: list[str] = Field(default_factory=list)
    """Local networks on which ICE may offer addresses; none named is every address but loopback."""
    ice_servers: list[dict[str, Any]] = Field(default_factory=list, repr=False)
    """STUN and TURN servers as RTCIceServer has them: urls, username, credential."""

    @field_validator("projects")
    @classmethod
    def _usable(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if found := "; ".join(problems(value)):
            raise ValueError(found)
        return value

    @model_validator(mode="after")
    def _stores(self) -> Settings:
        check_names(self.storage.default, self.stores)
        return self

    @model_validator(mode="after")
    def _alone_no_longer_than_a_lease(self) -> Settings:
        # An attendant whose host is cut off goes on for orphan_timeout after the last word of its worker, which renewed
        # its lease at most a seventh of it before; another worker attends the call from the lease's end on.
        longest = self.agent.lease * (2 - 1 / 7)
        if self.attendants.orphan_timeout > longest:
            raise ValueError(
                f"attendants.orphan_timeout ({self.attendants.orphan_timeout:g} s) may be at most {longest:.1f} s with "
                f"an agent.lease of {self.agent.lease:g} s, so that no call is attended twice for longer than a lease"
            )
        return self

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
            ": ".join(filter(None, (".".join(str(p) for p in e["loc"]), e["msg"].removeprefix("Value error, "))))
            for e in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"settings: {problems}") from None
    except SettingsError:
        raise
    except Exception as error:  # pydantic-settings and tomllib each raise kinds of their own for unreadable text
        raise SettingsError(f"settings cannot be read: {error}") from None
