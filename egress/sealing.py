"""Secrets at rest: JSON objects sealed with Fernet keys (authenticated encryption), so that a ledger or a job file on
disk gives nothing away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealError(Exception):
    """A key cannot be used, or something sealed cannot be opened. The text is one sentence for people."""


class Keyring:
    """The first key seals, every key opens: a new key is put in front, and the old one goes when nothing needs it."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
            self._first, self._fernet = fernets[0], MultiFernet(fernets)
        except (ValueError, IndexError):
            raise SealError("a key is no Fernet key (32 bytes in URL-safe base64)") from None

    def seal(self, value: dict[str, Any]) -> str:
        """Sealed text of a JSON object."""
        return self._fernet.encrypt(json.dumps(value, separators=(",", ":")).encode()).decode()

    def open(self, text: str) -> dict[str, Any]:
        """What was sealed. Raises SealError."""
        try:
            value = json.loads(self._fernet.decrypt(text))
        except (InvalidToken, ValueError):
            raise SealError("something sealed cannot be opened: its key is not here, or it is damaged") from None
        if not isinstance(value, dict):
            raise SealError("something sealed is no JSON object")
        return value

    def sealed_anew(self, text: str) -> str | None:
        """The same, sealed with the first key; None when it is already. Raises SealError."""
        try:
            self._first.decrypt(text)
            return None
        except InvalidToken:
            return self.seal(self.open(text))


def new_key() -> str:
    return Fernet.generate_key().decode()
