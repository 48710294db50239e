"""How far the upload of one file is: the parts that the store has, as kept in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from storage.target import Part


@dataclass(frozen=True, slots=True)
class Sent:
    """A part that the store has. ``until`` is when its last byte was on the disk, in seconds since 1970."""

    part: Part
    until: float


@dataclass(slots=True)
class Progress:
    """An upload. ``token`` is enough to go on with it from any host."""

    token: str
    part_size: int
    parts: dict[int, Sent] = field(default_factory=dict)
    completing: bool = False
    """Whether the store was asked to put the parts together: its answer may have been lost."""
    spool_host: str | None = None
    """The worker in whose spool the file lies, when another one completes the upload."""

    @property
    def covered(self) -> int:
        """Bytes from the beginning of the file on that the store has without a gap."""
        return sum(sent.part.size for sent in self.usable())

    def usable(self) -> list[Sent]:
        """The parts of which a file can be made: from the first one on without a gap, only the last one short."""
        found: list[Sent] = []
        while (sent := self.parts.get(len(found) + 1)) is not None:
            found.append(sent)
            if sent.part.size < self.part_size:
                break
        return found

    def as_json(self) -> dict[str, Any]:
        parts = [
            {
                "number": sent.part.number,
                "size": sent.part.size,
                "tag": sent.part.tag,
                "checksum": sent.part.checksum,
                "until": round(sent.until, 3),
            }
            for _, sent in sorted(self.parts.items())
        ]
        said: dict[str, Any] = {"token": self.token, "part_size": self.part_size, "parts": parts}
        if self.completing:
            said["completing"] = True
        if self.spool_host is not None:
            said["spool_host"] = self.spool_host
        return said

    @classmethod
    def from_json(cls, said: dict[str, Any] | None) -> Self | None:
        """None where no upload was begun."""
        if said is None or "token" not in said:
            return None
        parts = {
            one["number"]: Sent(Part(one["number"], one["size"], one["tag"], one["checksum"]), one["until"])
            for one in said["parts"]
        }
        return cls(said["token"], said["part_size"], parts, bool(said.get("completing", False)), said.get("spool_host"))
