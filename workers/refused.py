"""What a message may be refused with: numbers as HTTP has them, and a sentence for people."""

from __future__ import annotations

NAMES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
"""The name that goes with each code."""


class Refused(Exception):
    """A message that is not carried out. The text is one sentence for people.

    ``egress_id`` is the egress that stands in the way, where one does. ``error_code`` is what events of a failure say,
    where the code does not tell it.
    """

    def __init__(self, code: int, message: str, egress_id: str | None = None, error_code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.egress_id = egress_id
        self.error_code = error_code

    @property
    def name(self) -> str:
        return NAMES[self.code]


class BadMessage(Refused):
    """A message that says what cannot be. ``problems`` holds one sentence for each thing that is wrong."""

    def __init__(self, *problems: str) -> None:
        super().__init__(400, "; ".join(problems))
        self.problems = problems
