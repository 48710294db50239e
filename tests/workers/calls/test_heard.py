"""What a call remembers of the times at which messages about it were sent."""

from __future__ import annotations

from workers.ledger.calls import (
    MOST_STOPS,
    REMEMBERED_MS,
    Stop,
    change_settings,
    ended_since,
    is_newest_session,
    remember_end,
    remember_stop,
    stopped_since,
)
from workers.ledger.tables import Call


def test_a_stop_concerns_what_was_asked_for_before_it() -> None:
    call = Call(cid="default:a")
    remember_stop(call, Stop(2000, recording_type="composite"))
    assert stopped_since(call, 1999, "composite", "e1", None)
    assert not stopped_since(call, 2000, "composite", "e1", None)
    assert not stopped_since(call, 1999, "raw", "e1", None)


def test_a_stop_of_one_egress_leaves_the_others() -> None:
    call = Call(cid="default:a")
    remember_stop(call, Stop(2000, "composite", egress_id="e1"))
    assert stopped_since(call, 1000, "composite", "e1", "s1")
    assert not stopped_since(call, 1000, "composite", "e2", "s1")


def test_of_stops_that_say_the_same_the_newest_is_kept() -> None:
    call = Call(cid="default:a")
    for at in (2000, 5000, 3000):
        remember_stop(call, Stop(at, "composite", egress_id="e1"))
    remember_stop(call, Stop(4000, "composite"))
    assert [stop["at_ms"] for stop in call.heard["stops"]] == [4000, 5000]
    remember_stop(call, Stop(6000))
    assert [stop["at_ms"] for stop in call.heard["stops"]] == [6000]


def test_stops_are_forgotten_after_a_day_and_never_many() -> None:
    call = Call(cid="default:a")
    for number in range(3 * MOST_STOPS):
        remember_stop(call, Stop(number, "composite", egress_id=f"e{number}"))
    assert len(call.heard["stops"]) == MOST_STOPS
    remember_stop(call, Stop(REMEMBERED_MS * 2, "composite", egress_id="last"))
    assert len(call.heard["stops"]) == 1


def test_a_later_word_on_a_setting_is_not_undone_by_an_earlier_one() -> None:
    call = Call(cid="default:a")
    call.settings = change_settings(call, {"limits": {"max_duration_seconds": 200}}, 2000)
    call.settings = change_settings(
        call, {"limits": {"max_duration_seconds": 100}, "recording": {"mode": "auto-on"}}, 1000
    )
    assert call.settings == {"limits": {"max_duration_seconds": 200}, "recording": {"mode": "auto-on"}}
    call.settings = change_settings(call, {"limits": {"max_duration_seconds": 300}}, 3000)
    assert call.settings["limits"] == {"max_duration_seconds": 300}


def test_an_end_is_known_before_its_start_comes() -> None:
    call = Call(cid="default:a")
    remember_end(call, "s1", 2000)
    assert ended_since(call, 1000, "s1") and not ended_since(call, 1000, "s2") and not ended_since(call, 3000, "s1")


def test_a_session_that_began_earlier_does_not_take_the_place_of_a_later_one() -> None:
    call = Call(cid="default:a")
    assert is_newest_session(call, "later", 2000)
    assert not is_newest_session(call, "earlier", 1000)
    assert is_newest_session(call, "later", 2500)
