"""How much a report holds at most."""

from __future__ import annotations

from dataclasses import dataclass

MOST_PARTICIPANTS = 100
MOST_SPELLS = 20
"""Listed of one kind."""
MOST_SPELLS_IN_ALL = 400
MOST_SIZES = 8
LONGEST_ID = 256
LONGEST_REASON = 200


@dataclass(slots=True)
class Room:
    """For how many spells the report still has room."""

    left: int = MOST_SPELLS_IN_ALL
