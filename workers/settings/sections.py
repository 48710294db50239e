"""The sections of the settings that belong to no other module: each a frozen model with defaults."""

from __future__ import annotations

import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, SecretStr, field_validator, model_validator

from egress.speech.contract import SpeechError
from egress.speech.languages import language
from storage.keys import DEFAULT_TEMPLATE, KeyTemplateError, check_template
from workers.settings.hooks import Webhook
from workers.settings.section import Section

Seconds = Annotated[float, Field(gt=0)]


class LedgerSettings(Section):
    url: SecretStr | None = None
    """SQLAlchemy URL; None is the SQLite file ``ledger.sqlite`` in the data folder."""
    busy_timeout: Seconds = 5.0
    """How long SQLite waits for another writer."""


class BrokerSettings(Section):
    url: SecretStr = SecretStr("memory:")
    """``memory:``, ``redis://…`` (or ``rediss://``), ``amqp://…`` (or ``amqps://``)."""
    queue: str = Field(default="wallflower", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    threads: int = Field(default=2, ge=1, le=32)
    """Threads of a worker that take messages. Messages are short work: they only write wishes."""
    keep_trying: Seconds = 86_400.0
    """Seconds for which a message is tried again when the ledger is out of reach. Bad messages never are."""
    time_limit: Seconds = 30.0
    """Seconds that a message may take. For half of them it waits for a ledger out of reach before it is given back."""

    @field_validator("url")
    @classmethod
    def _known(cls, value: SecretStr) -> SecretStr:
        scheme = value.get_secret_value().split(":", 1)[0]
        if scheme not in ("memory", "redis", "rediss", "amqp", "amqps"):
            raise ValueError(f"{scheme}: is no broker; known are memory:, redis://, rediss://, amqp://, amqps://")
        return value


class StorageSettings(Section):
    default: str = Field(default="local", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The store of calls that name none: ``local``, or a name among ``stores``."""
    folder: Path | None = None
    """Where the store ``local`` keeps files; None is ``recordings`` in the data folder."""
    key_template: str = DEFAULT_TEMPLATE
    part_size: int = Field(default=8 * 2**20, ge=5 * 2**20, le=512 * 2**20)
    """Bytes of the parts in which a growing file is sent; more of them where a file would else have too many."""
    tail_seconds: float = Field(default=30.0, ge=1.0)
    """Seconds without a part after which what there is of the next one is sent: what a dead host may take with it."""
    concurrency: int = Field(default=2, ge=1, le=16)
    """Parts that are sent to one store at once. Each is held in memory."""

    @field_validator("key_template")
    @classmethod
    def _template(cls, value: str) -> str:
        try:
            check_template(value)
        except KeyTemplateError as error:
            raise ValueError(str(error)) from None
        return value


class EventSettings(Section):
    webhooks: list[Webhook] = Field(default_factory=list)
    write_file: bool = True
    file: Path | None = None
    """JSON lines, one event a line; None is ``events.jsonl`` in the data folder."""
    stdout: bool = True
    keep_trying: Seconds = 86_400.0
    """Seconds after which an event that a sink never took is laid to the dead letters."""
    lease: float = Field(default=20.0, ge=2.0)
    """Seconds for which one worker relays events; another takes over when it is gone for so long."""
    keep: Seconds = 2_592_000.0
    """Seconds for which delivered events and dead letters stay in the ledger."""

    @field_validator("webhooks")
    @classmethod
    def _distinct(cls, value: list[Webhook]) -> list[Webhook]:
        known = [hook.name or hook.url.get_secret_value() for hook in value]
        if len(set(known)) < len(known):
            raise ValueError("two webhooks have the same name, or the same url and no names")
        return value


class RecordingSettings(Section):
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
    manifest: bool = True
    """Whether a JSON file beside each recording's files tells of them and of how the call came in."""


class SpeechSettings(Section):
    """What makes text of speech, on each host."""

    model: str | None = Field(default=None, min_length=1, max_length=500)
    """A model's name, such as ``small``, or a local folder; None refuses transcription and closed captions, unless
    ``external``."""
    external: bool = False
    """Nobody is heard: all that transcripts and captions tell comes from outside, by ``send_closed_caption``."""
    engine: str = Field(default="faster-whisper", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Found among the entry points ``wallflower.speech_engines``."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: Literal["int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "float32"] = (
        "int8"
    )
    threads: int = Field(default=2, ge=1, le=64)
    """Threads of one inference."""
    workers: int = Field(default=1, ge=1, le=16)
    """Inferences at once."""
    beam_size: int = Field(default=5, ge=1, le=20)
    window: int | None = Field(default=None, ge=6, le=30)
    """Seconds of sound that each inference goes over at least; None takes those that the model was trained on."""
    download: bool = False
    """Whether a model that is given by name may be fetched from the network; else it must be on this machine."""
    languages: list[str] = Field(default_factory=list, max_length=100)
    """The only languages that calls may speak here, with ``auto`` for finding out; none named is all of them."""
    translators: dict[str, Path] = Field(default_factory=dict, max_length=40)
    """Folders of CTranslate2 models that translate, by the language into which they do."""
    formats: tuple[Literal["srt", "vtt", "txt"], ...] = ("srt", "vtt")
    """What is put beside each transcript (JSON lines)."""
    details: tuple[Literal["language", "words"], ...] = ()
    """What lines of transcripts tell beside who said what when: the language, the times of single words."""

    @property
    def available(self) -> bool:
        """Whether calls can have transcripts and captions here."""
        return self.model is not None or self.external

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.external and self.model is not None:
            raise ValueError("external: a model is named too (speech.model), and each sentence would be told twice")
        return self

    @field_validator("languages")
    @classmethod
    def _spoken(cls, value: list[str]) -> list[str]:
        for code in value:
            try:
                language(code)
            except SpeechError as error:
                raise ValueError(error.message) from None
        return value


class SpoolSettings(Section):
    reserve_hours: float = Field(default=1.0, ge=0)
    """Hours at the highest bit rate for which a recording must find room when it starts."""
    min_free: int = Field(default=256 * 2**20, ge=0)
    """Bytes that are left alone."""


class AttendantSettings(Section):
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


class AgentSettings(Section):
    poll: float = Field(default=0.1, ge=0.01, le=0.15)
    lease: float = Field(default=35.0, ge=1.0)
    """Seconds for which a worker holds a call. It is renewed seven times within them."""
    abandoned: float = Field(default=120.0, ge=2.0)
    """Seconds without a sign of life of a worker after which others complete the uploads that it had begun."""
    patience: float = Field(default=600.0, ge=1.0)
    """Seconds that attendants go on while the ledger is out of reach. Then they finish their files."""
    cpus: float | None = Field(default=None, gt=0)
    """Processor cores that egresses may take; None is all of the machine's."""
    watch: float = Field(default=1.0, ge=0.2, le=60.0)
    """Seconds between two looks into the room of a session that nobody attends."""
    drain: float = Field(default=3600.0, ge=0)
    """Seconds that running egresses may go on after SIGTERM; then they are stopped. SIGINT stops them at once."""
    grace: float = Field(default=120.0, ge=0)
    """Seconds that an ending worker then waits for files to be finished and delivered."""


class SecretSettings(Section):
    keys: list[SecretStr] = Field(default_factory=list)
    """Fernet keys: the first one seals, all of them open. None is a key file in the data folder, made when missing."""


class HttpSettings(Section):
    """Health and metrics."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)
    """None serves nothing; 0 is any free port, which is logged."""


class PageSettings(Section):
    """Web pages that are recorded live."""

    webrtc: bool = True
    """Whether WebRTC in a page may speak to others than the guarded proxy. Apps that join a call need that."""
    max_duration_seconds: float = Field(default=14_400.0, ge=0)
    """Seconds after which a web recording ends whose message says nothing of it; 0 is no limit."""


class LogSettings(Section):
    format: Literal["text", "json"] = "text"


class GuardSettings(Section):
    """Which addresses outside may be spoken to: hooks, endpoints of stores, and what messages name."""

    schemes: frozenset[Literal["http", "https"]] = frozenset({"https", "http"})
    allow_private: list[str] = Field(default_factory=list)
    """Networks such as ``10.0.0.0/8`` that are allowed although they are private, local or reserved."""

    @field_validator("allow_private")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no network such as 10.0.0.0/8") from None
        return value
