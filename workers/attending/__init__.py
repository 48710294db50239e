"""One session's attendant, from its start to its last word, and again when it dies."""

from __future__ import annotations

from workers.attending.session import Attending
from workers.attending.surroundings import Surroundings

__all__ = ["Attending", "Surroundings"]
