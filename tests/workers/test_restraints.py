"""When who was moderated, as the ledger keeps it with a session."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from egress.protocol.directions import Moderated
from tests.workers.test_ledger import T0
from workers.ledger import restraints
from workers.ledger.restraints import MOST, between, went_on

ANNA, BERT = Moderated(user_id="anna", video="hide"), Moderated(user_id="bert", audio="silence")


def said(*steps: tuple[float, list[Moderated]]) -> dict[str, Any]:
    """What is kept after each was in force from so many seconds after T0."""
    kept: dict[str, Any] = {}
    for seconds, force in steps:
        kept = json.loads(json.dumps(went_on(kept, force, T0 + timedelta(seconds=seconds))))
    return kept


def told(kept: dict[str, Any], start: float, end: float) -> list[tuple[str, float, float]]:
    found, _ = between(kept, T0 + timedelta(seconds=start), T0 + timedelta(seconds=end))
    return [
        (one.who.user_id, *(round((time - T0).total_seconds(), 2) for time in (one.start, one.end))) for one in found
    ]


def test_times_are_cut_to_what_is_asked_for() -> None:
    kept = said((1, [ANNA]), (3, [BERT, ANNA]), (5, [BERT]))
    assert told(kept, 0, 10) == [("anna", 1, 5), ("bert", 3, 10)]
    assert told(kept, 2, 4) == [("anna", 2, 4), ("bert", 3, 4)]
    assert told(kept, 6, 7) == [("bert", 6, 7)]
    assert told(kept, -5, 0) == []


def test_what_is_said_again_goes_on_and_what_is_said_otherwise_is_another_time() -> None:
    kept = said((1, [ANNA]), (2, [ANNA]), (4, [Moderated(user_id="anna", video="blur")]), (6, []), (8, [ANNA]))
    assert told(kept, 0, 10) == [("anna", 1, 4), ("anna", 4, 6), ("anna", 8, 10)]
    found, _ = between(kept, T0, T0 + timedelta(seconds=10))
    assert [one.who.video for one in found] == ["hide", "blur", "hide"]


def test_the_last_times_are_kept_and_earlier_ones_counted_for_whom_they_may_concern() -> None:
    kept = said((0, [BERT]), *((n, [BERT, ANNA] if n % 2 else [BERT]) for n in range(1, 2 * MOST + 21)))
    assert len(kept["over"]) == MOST
    end = T0 + timedelta(seconds=3 * MOST)
    found, left_out = between(kept, T0, end)
    assert (len(found), left_out) == (MOST + 1, 10)
    assert (found[0].who, found[0].end) == (BERT, end), "what lasts is kept however long ago it began"
    assert between(kept, T0 + timedelta(seconds=19), end)[1] == 10
    assert between(kept, T0 + timedelta(seconds=20.01), end)[1] == 0


def test_a_clock_that_goes_back_makes_no_time_of_less_than_nothing() -> None:
    kept = said((5, [ANNA]), (4, []))
    assert told(kept, 0, 10) == [] and restraints.between(kept, T0, T0)[1] == 0
