"""The messages that ask for recordings, and the one function that turns what came off a queue into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from egress.call.connector import ConnectorError, connector, connector_types
from egress.protocol import CID, LayoutSettings, Quality
from workers.payload import BadMessage, check, shown

IDENTIFIER = r"^[A-Za-z0-9_-]{1,64}$"
RECORDING_TYPES = ("composite", "individual", "raw")
"""What events may say. Only composite recordings are made."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RecordSettings(_Message):
    """RecordSettingsRequest of the call backends."""

    mode: Literal["available", "disabled", "auto-on"] = "available"
    audio_only: bool = False
    quality: Quality = Field(default=Quality.P720, strict=False)
    layout: LayoutSettings = LayoutSettings()

    @field_validator("mode")
    @classmethod
    def _enabled(cls, value: str) -> str:
        if value == "disabled":
            raise ValueError("recording is disabled for this call; allowed are available, auto-on")
        return value

    @field_validator("layout")
    @classmethod
    def _layout(cls, value: LayoutSettings) -> LayoutSettings:
        from layouts.options import LayoutError, check_layout

        for field in ("external_css_url", "external_app_url"):
            if getattr(value, field) is not None:
                raise _At(field, "pages and style sheets from elsewhere are not drawn; leave it out")
        try:
            check_layout(value.name, value.options)
        except LayoutError as error:
            raise _At(error.field.removeprefix("layout."), error.reason) from None
        return value

    @property
    def effective_quality(self) -> Quality:
        return Quality.AUDIO_ONLY if self.audio_only else self.quality


class StartRecording(_Message):
    """Record a call. Without ``egress_id`` one is made from ``request_id`` or the queue's message id."""

    call_cid: str
    recording_type: Literal["composite"] = "composite"
    egress_id: str | None = Field(default=None, pattern=IDENTIFIER)
    session_id: str | None = Field(default=None, pattern=IDENTIFIER)
    request_id: str | None = Field(default=None, min_length=1, max_length=128)
    connector: dict[str, Any]
    recording: RecordSettings = RecordSettings()
    recording_external_storage: str | None = Field(default=None, max_length=64)

    @field_validator("call_cid")
    @classmethod
    def _cid(cls, value: str) -> str:
        return _call_cid(value)

    @field_validator("connector")
    @classmethod
    def _connector(cls, value: dict[str, Any]) -> dict[str, Any]:
        type_ = value.get("type")
        if not isinstance(type_, str):
            raise _At("type", f"must name a connector; known are {', '.join(connector_types())}")
        try:
            found = connector(type_)
        except ConnectorError:
            known = ", ".join(connector_types())
            raise _At("type", f"'{shown(type_)}' is no connector; known are {known}") from None
        address: type[BaseModel] = found.Address
        try:
            address.model_validate(value)
        except ValidationError as error:
            raise _Inside(sentences(error, address)) from None
        return value


class StopRecording(_Message):
    """Stop one recording of a call, or, without ``egress_id``, all of that type."""

    call_cid: str
    recording_type: Literal["composite"] = "composite"
    egress_id: str | None = Field(default=None, pattern=IDENTIFIER)
    session_id: str | None = Field(default=None, pattern=IDENTIFIER)
    request_id: str | None = Field(default=None, min_length=1, max_length=128)

    @field_validator("call_cid")
    @classmethod
    def _cid(cls, value: str) -> str:
        return _call_cid(value)


Message = StartRecording | StopRecording
MESSAGES: dict[str, type[StartRecording] | type[StopRecording]] = {
    "start_recording": StartRecording,
    "stop_recording": StopRecording,
}


def parse(message_type: str, payload: object) -> Message:
    """The message, checked to the last field. Raises BadMessage, with a sentence for each thing that is wrong."""
    model = MESSAGES.get(message_type)
    if model is None:
        raise BadMessage(f"'{shown(str(message_type))}' is no message type; known are {', '.join(MESSAGES)}")
    fields = check(payload)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise BadMessage(*sentences(error, model)) from None


class _At(ValueError):
    """A problem with a field inside the one that is validated."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.lines = [f"{field}: {problem}"]


class _Inside(_At):
    """Problems found by the validation of another model, told as sentences already."""

    def __init__(self, lines: Iterable[str]) -> None:
        ValueError.__init__(self, "cannot be used")
        self.lines = list(lines)


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence a problem: which field, what is wrong with it, what is allowed."""
    told: dict[str, str] = {}
    inner: list[str] = []
    for problem in error.errors(include_url=False):
        parts = [shown(str(part)) for part in problem["loc"] if not _names_a_choice(part)]
        where = ".".join(parts)
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, _At):
            inner.extend(f"{where}.{line}" for line in cause.lines)
        else:
            # One sentence a field: of several kinds that are allowed, the first is the usual one.
            told.setdefault(where, f"{where or 'the message'}: {_reason(dict(problem), model)}")
    return [*told.values(), *inner]


def _names_a_choice(part: int | str) -> bool:
    """Whether pydantic means one of several allowed kinds by it, not a field."""
    return isinstance(part, str) and (part in ("int", "str", "float", "bool") or part.startswith("constrained-"))


def _reason(problem: dict[str, Any], model: type[BaseModel]) -> str:
    context: Mapping[str, Any] = problem.get("ctx", {})
    given = problem.get("input")
    match problem["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"is no known field; known are {', '.join(_names(model, problem['loc'][:-1]))}"
        case "literal_error" | "enum":
            return f"{_quoted(given)} is not allowed; allowed are {_list(context.get('expected', ''))}"
        case "string_pattern_mismatch" if context.get("pattern") == IDENTIFIER:
            return f"{_quoted(given)} is not allowed; allowed are 1 to 64 letters, digits, '_' and '-'"
        case "value_error":
            return str(context.get("error", problem["msg"]))
        case _:
            text = str(problem["msg"]).removeprefix("Value error, ")
            return f"{_quoted(given)} is not allowed: {text[:1].lower()}{text[1:]}"


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the model that lies at that place inside ``model``."""
    current: type[BaseModel] = model
    for part in location:
        field = current.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        current = inner
    return list(current.model_fields)


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f"'{shown(value)}'"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)[:40]
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "this value"


def _list(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")


def _call_cid(value: str) -> str:
    if not CID.fullmatch(value):
        _refuse_cid(value)
    return value


def _refuse_cid(value: str) -> NoReturn:
    raise ValueError(
        f"'{shown(value)}' is not allowed; it must look like 'type:id': up to 64 letters, digits, '_' and '-', "
        "a colon, up to 128 letters, digits and any of '_-.@!'"
    )
