"""What an agent says of itself, for health checks, metrics and people."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AgentStatus:
    attended: int = 0
    """Calls with an attendant, or about to have one."""
    watched: int = 0
    """Sessions in which nothing runs, and which are looked into all the same."""
    waiting: int = 0
    """Sessions that wait for room on some worker."""
    stale: int = 0
    """Attendants that finish their files after their session went to another worker."""
    cores: float = 0.0
    """Processor cores that running egresses are reckoned at."""
    cpus: float = 0.0
    """Processor cores that they may take."""
    draining: bool = False
    ledger_away: float = 0.0
    """Seconds since the ledger last answered."""
    media_delays: dict[str, float] = field(default_factory=dict)
    """Call cid to seconds by which its egresses are composed later than planned."""
