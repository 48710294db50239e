"""Names of finished files: a template filled in so that a key can never leave its folder."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime

DEFAULT_TEMPLATE = "{call_type}/{call_id}/{session_id}/{egress_id}_{start_time}_{part:03}.{ext}"

_UNSAFE = re.compile(r"[^A-Za-z0-9_.@!+=-]")
_LONGEST_SEGMENT = 200
_LONGEST_NAME = 255
_LONGEST_KEY = 1000


class KeyTemplateError(ValueError):
    """A key template that cannot be used. The text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class KeyFields:
    """What a key can be made of. ``start_time`` is written as ``20250131T235959Z``."""

    call_cid: str
    session_id: str
    egress_id: str
    epoch: int
    part: int
    start_time: datetime
    ext: str

    def values(self) -> dict[str, str | int]:
        call_type, _, call_id = self.call_cid.partition(":")
        return {
            "call_type": _segment(call_type),
            "call_id": _segment(call_id),
            "session_id": _segment(self.session_id),
            "egress_id": _segment(self.egress_id),
            "epoch": self.epoch,
            "part": self.part,
            "start_time": self.start_time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "ext": _segment(self.ext),
        }


_FIELDS = ("call_type", "call_id", "session_id", "egress_id", "epoch", "part", "start_time", "ext")
_SAMPLE = KeyFields("type:id", "session", "egress", 1, 1, datetime(2025, 1, 1, tzinfo=UTC), "mp4")


def check_template(template: str) -> None:
    """Raise KeyTemplateError unless the template names known fields and tells files apart."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise KeyTemplateError(f"the key template {template!r} cannot be read: {error}") from None
    used = {name for _, name, _, _ in parts if name is not None}
    unknown = sorted(used - set(_FIELDS))
    if unknown:
        raise KeyTemplateError(f"the key template has no field {unknown[0]!r}; known are {', '.join(_FIELDS)}")
    missing = sorted({"egress_id", "part"} - used)
    if missing:
        raise KeyTemplateError(f"the key template must hold {{{missing[0]}}}, or files would overwrite one another")
    fill(template, _SAMPLE)


def fill(template: str, fields: KeyFields) -> str:
    """The key: relative, ``/`` between folders, no empty, ``.`` or ``..`` segment. Raises KeyTemplateError."""
    try:
        key = template.format_map(fields.values())
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise KeyTemplateError(f"the key template {template!r} cannot be filled: {error}") from None
    segments = key.split("/")
    if any(segment in ("", ".", "..") or "\0" in segment or "\\" in segment for segment in segments):
        raise KeyTemplateError(f"the key template {template!r} makes {key!r}, which is no path inside a folder")
    if any(len(segment.encode()) > _LONGEST_NAME for segment in segments) or len(key.encode()) > _LONGEST_KEY:
        raise KeyTemplateError(f"the key template {template!r} makes a name that is too long")
    return key


def beside(key: str, suffix: str) -> str:
    """The key of what accompanies a file: in its folder, named as it is, but for the extension."""
    folder, slash, name = key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    longest = min(_LONGEST_NAME - len(suffix.encode()), _LONGEST_KEY - len((folder + slash + suffix).encode()))
    return f"{folder}{slash}{stem.encode()[:longest].decode(errors='ignore')}{suffix}"


def _segment(value: str) -> str:
    """A value as it may stand in a file name: a leading dot and everything unusual become ``_``."""
    safe = _UNSAFE.sub("_", value)[:_LONGEST_SEGMENT]
    return f"_{safe[1:]}" if safe.startswith(".") else safe or "_"
