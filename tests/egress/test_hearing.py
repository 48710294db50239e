"""Whom a program hears, by the options of its layout."""

from __future__ import annotations

from typing import Any

from egress.director import Layout
from egress.hearing import Hearing
from layouts.scene import CallView, ParticipantView

CALL = CallView(
    tuple(
        ParticipantView(f"s-{name}", name, name, roles=(role,)) for name, role in (("anna", "host"), ("bert", "user"))
    )
)


class Program:
    def __init__(self) -> None:
        self.told: list[tuple[float, frozenset[str]]] = []

    def leave_out(self, when: float, session_ids: frozenset[str]) -> None:
        self.told.append((when, session_ids))


def hearing(**options: Any) -> tuple[Hearing, Program]:
    program: Any = Program()
    return Hearing(program, Layout("grid", options)), program


def test_everybody_is_heard_unless_the_layout_says_otherwise() -> None:
    heard, program = hearing(**{"participant.filter": {"roles": {"$contains": "host"}}})
    heard.update(CALL, 1.0)
    assert program.told == []


def test_a_filter_leaves_voices_out_from_when_that_was_decided() -> None:
    heard, program = hearing()
    heard.update(CALL, 1.0)
    heard.change(Layout("grid", {"audio.filter": {"roles": {"$contains": "host"}}}))
    heard.update(CALL, 2.0)
    heard.update(CALL, 3.0)
    heard.change(Layout("grid", {}))
    heard.update(CALL, 4.0)
    assert program.told == [(2.0, frozenset({"s-bert"})), (4.0, frozenset())]
