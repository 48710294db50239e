"""What LiveKit is asked for: by need, put together, and not too often."""

from __future__ import annotations

from livekit.protocol import rtc

from egress.call.livekit.subscriptions import INTERVAL, KEEP, RETRY, Subscriptions
from egress.call.model import Wants


def camera(needed: bool = True, now: float = 0.0) -> Subscriptions:
    made = Subscriptions()
    made.add("TR_1", video=True)
    if needed:
        made.need("TR_1", True, now)
    return made


def told(requests: list[rtc.SignalRequest]) -> list[tuple[object, ...]]:
    """Requests in a few words."""
    short: list[tuple[object, ...]] = []
    for request in requests:
        if request.WhichOneof("message") == "subscription":
            short.append(("+" if request.subscription.subscribe else "-", *request.subscription.track_sids))
        else:
            asked = request.track_setting
            short.append((*asked.track_sids, "off" if asked.disabled else (asked.width, asked.height, asked.fps)))
    return short


def test_nothing_is_asked_for_that_nobody_needs() -> None:
    made = camera(needed=False)
    made.wish("TR_1", Wants(640, 360, 30))
    assert made.due(100.0) == []
    assert made.next_due(100.0) is None


def test_the_size_is_told_before_the_subscription() -> None:
    made = camera()
    made.wish("TR_1", Wants(640, 360, 30.0))
    assert told(made.due(0.0)) == [("TR_1", (640, 360, 30)), ("+", "TR_1")]
    assert made.due(10.0) == []
    assert made.subscribed == ["TR_1"]


def test_sound_has_no_size() -> None:
    made = Subscriptions()
    made.add("TR_2", video=False)
    made.need("TR_2", True, 0.0)
    assert told(made.due(0.0)) == [("+", "TR_2")]
    assert made.due(10.0) == []


def test_many_tracks_are_subscribed_to_by_one_request() -> None:
    made = Subscriptions()
    for sid in ("TR_1", "TR_2", "TR_3"):
        made.add(sid, video=False)
        made.need(sid, True, 0.0)
    assert told(made.due(0.0)) == [("+", "TR_1", "TR_2", "TR_3")]


def test_a_tile_on_its_way_asks_a_few_times_a_second_and_the_last_wish_counts() -> None:
    made = camera()
    made.wish("TR_1", Wants(100, 100, 30.0))
    asked = told(made.due(0.0))
    for tenth in range(1, 11):
        made.wish("TR_1", Wants(100 + tenth, 100, 30.0))
        asked += told(made.due(tenth / 10))
    sizes = [entry[1] for entry in asked if entry[0] == "TR_1"]
    assert len(sizes) <= 1 + 1 / INTERVAL
    due = made.next_due(1.0)
    if due is not None:
        sizes += [entry[1] for entry in told(made.due(due)) if entry[0] == "TR_1"]
    assert sizes[-1] == (110, 100, 30)


def test_a_wish_that_comes_back_to_what_was_told_asks_nothing() -> None:
    made = camera()
    made.wish("TR_1", Wants(100, 100, 30.0))
    made.due(0.0)
    made.wish("TR_1", Wants(200, 100, 30.0))
    made.wish("TR_1", Wants(100, 100, 30.0))
    assert made.next_due(0.1) is None
    assert made.due(5.0) == []


def test_what_nobody_needs_any_more_is_disabled_at_once_and_unsubscribed_when_that_lasts() -> None:
    made = camera()
    made.due(0.0)
    made.need("TR_1", False, 5.0)
    assert told(made.due(5.0)) == [("TR_1", "off")]
    assert made.disabled == ["TR_1"]
    assert made.due(5.0 + KEEP - 0.1) == []
    assert made.next_due(6.0) == 5.0 + KEEP
    assert told(made.due(5.0 + KEEP)) == [("-", "TR_1")]
    assert made.subscribed == []
    assert made.next_due(100.0) is None


def test_what_is_needed_again_meanwhile_goes_on_without_another_subscription() -> None:
    made = camera()
    made.due(0.0)
    made.need("TR_1", False, 5.0)
    made.due(5.0)
    made.need("TR_1", True, 5.1)
    assert made.due(5.1) == [], "put together"
    assert told(made.due(5.0 + INTERVAL)) == [("TR_1", (0, 0, 0))]


def test_a_server_that_knows_nothing_of_us_is_asked_for_everything_again() -> None:
    made = camera()
    made.wish("TR_1", Wants(640, 360, 30.0))
    first = told(made.due(0.0))
    made.forget()
    assert made.subscribed == []
    assert told(made.due(0.01)) == first


def test_a_subscription_that_failed_is_tried_again_a_while_later() -> None:
    made = camera()
    made.due(0.0)
    made.failed("TR_1", 1.0)
    assert made.due(1.0 + RETRY / 2) == []
    assert ("+", "TR_1") in told(made.due(1.0 + RETRY))


def test_a_track_that_is_gone_is_asked_for_no_more() -> None:
    made = camera()
    made.due(0.0)
    made.remove("TR_1")
    made.need("TR_1", False, 1.0)
    made.wish("TR_1", None)
    made.failed("TR_1", 1.0)
    assert made.due(100.0) == []
