"""Who the synthetic guests are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guest:
    """One of the cast. ``pitch`` is that of the voice in Hz, ``hue`` the background in degrees."""

    id: str
    name: str
    roles: tuple[str, ...]
    hue: int
    pitch: float


CAST = tuple(
    Guest(f"guest-{number}", name, roles, hue, pitch)
    for number, (name, roles, hue, pitch) in enumerate(
        [
            ("Zoë Lindqvist", ("host",), 205, 205.0),
            ("محمد الأمين", ("user",), 28, 112.0),
            ("王芳", ("user",), 140, 228.0),
            ("Ольга Петрова", ("user",), 275, 190.0),
            ("Αλέξανδρος Νικολάου", ("user",), 340, 104.0),
            ("देवी शर्मा", ("user",), 175, 216.0),
            ("김민준", ("user",), 50, 122.0),
            ("נועה לוי", ("user",), 235, 198.0),
            ("Sofía García Márquez", ("user",), 95, 181.0),
        ],
        start=1,
    )
)

MOST_GUESTS = len(CAST)
