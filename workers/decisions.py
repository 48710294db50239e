"""What the agent does next, as pure functions: which commands are due, whether to try again, whether there is room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from workers.ledger.states import State

Op = Literal["start", "stop", "give_up"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One live egress as the ledger has it."""

    egress_id: str
    state: State
    desired: str


def due(egresses: Iterable[Wanted], told: Mapping[str, str]) -> list[tuple[Op, str]]:
    """The commands that make an attendant do what is wanted. ``told`` is what it was told of each egress so far."""
    commands: list[tuple[Op, str]] = []
    for egress in egresses:
        heard = told.get(egress.egress_id)
        if egress.state is State.PENDING:
            commands.append(("start" if egress.desired == "run" else "give_up", egress.egress_id))
        elif egress.desired == "stop" and egress.state in (State.STARTING, State.ACTIVE):
            if heard is None:
                commands.append(("give_up", egress.egress_id))  # the attendant knows nothing of it
            elif heard == "start":
                commands.append(("stop", egress.egress_id))
    return commands


def idle(egresses: Iterable[Wanted]) -> bool:
    """Whether an attendant has nothing left to record: what remains is to be delivered."""
    return all(egress.state is State.FINALIZING for egress in egresses)


@dataclass(slots=True)
class Restarts:
    """Counts crashes in a row, and says when the next attempt may be made."""

    allowed: int
    backoff: float
    backoff_max: float
    healthy: float
    crashes: int = 0

    def crashed(self, lived: float) -> float | None:
        """Seconds to wait before the next attempt, None when there shall be none. ``lived``: seconds of work."""
        if lived >= self.healthy:
            self.crashes = 0
        self.crashes += 1
        if self.crashes > self.allowed:
            return None
        if self.crashes == 1:
            return 0.0
        return float(min(self.backoff * 2 ** (self.crashes - 2), self.backoff_max))


def reservation(video_bitrate: int | None, audio_bitrate: int, hours: float) -> int:
    """Bytes that a recording may need of the spool."""
    return int(((video_bitrate or 0) + audio_bitrate) / 8 * 3600 * hours)


def shortage(free: int, kept: int, promised: int, needed: int) -> str | None:
    """Why a recording does not fit into the spool, with the figures; None when it does. All in bytes."""
    left = free - kept - promised
    if left >= needed:
        return None
    mb = 1_000_000
    return (
        f"the spool has no room: the recording may need {needed // mb} MB, but of {free // mb} MB free "
        f"{kept // mb} MB are kept back and {promised // mb} MB are promised to running recordings"
    )
