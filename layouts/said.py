"""The error that refuses a layout, and how a message quotes what was asked."""

from __future__ import annotations

from typing import Any


class LayoutError(ValueError):
    """A layout or an option that cannot be honoured. ``field`` is its path in the layout settings."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def shown(value: Any) -> str:
    """A value as a message may quote it: short, on one line, printable."""
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list nested as deep
        return f"this {type(value).__name__}"
    text = "".join(char if char.isprintable() else "\ufffd" for char in text[:81])
    return text if len(text) <= 80 else text[:79] + "…"
