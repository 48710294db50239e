"""The cap on requests for key frames."""

from __future__ import annotations

import itertools

from egress.rtc.keyframes import FIRST_INTERVAL, MAX_INTERVAL, KeyframeRequests


def asked(requests: KeyframeRequests, start: float, end: float, *, step: float = 0.01) -> list[float]:
    """Times at which a request went out between ``start`` and ``end``."""
    times = []
    for n in range(round((end - start) / step)):
        now = start + n * step
        if requests.due(now):
            times.append(now)
    return times


def test_nothing_is_asked_unless_wanted():
    assert asked(KeyframeRequests(), 0, 10) == []


def test_the_first_wish_is_told_at_once():
    requests = KeyframeRequests()
    requests.want()
    assert requests.due(100.0)


def test_a_thousand_wishes_are_few_requests_and_ever_rarer():
    requests = KeyframeRequests()
    times = []
    for n in range(6000):
        requests.want()
        if requests.due(n * 0.01):
            times.append(n * 0.01)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert times[0] == 0
    assert gaps[0] >= FIRST_INTERVAL - 0.011
    assert all(later >= earlier - 0.011 for earlier, later in itertools.pairwise(gaps))
    assert abs(gaps[-1] - MAX_INTERVAL) < 0.02
    assert len(times) <= 19
    assert requests.sent == len(times)


def test_a_key_frame_ends_the_asking():
    requests = KeyframeRequests()
    requests.want()
    assert requests.due(0)
    requests.arrived(0.2)
    assert requests.next_due is None
    assert asked(requests, 0.2, 20) == []


def test_after_a_key_frame_came_late_the_next_wish_does_not_wait_for_the_old_interval():
    requests = KeyframeRequests()
    requests.want()
    times = asked(requests, 0, 4)  # nothing comes for four seconds: the interval is at its longest
    requests.arrived(4.0)
    requests.want()
    [again, *_] = asked(requests, 4.0, 10)
    assert again <= max(4.0, times[-1] + FIRST_INTERVAL) + 0.02


def test_key_frames_lost_again_and_again_are_asked_for_at_most_twice_a_second():
    requests = KeyframeRequests()
    times = []
    for n in range(1000):
        now = n * 0.01
        requests.want()
        if requests.due(now):
            times.append(now)
            requests.arrived(now)
    assert len(times) <= 10 / FIRST_INTERVAL + 1
    assert len(times) >= 10 / FIRST_INTERVAL - 2
