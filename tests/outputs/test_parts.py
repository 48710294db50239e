"""Where recordings are cut: at instants that are a picture's and an AAC frame's beginning at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.outputs.parts import PartPlan

RATES = st.integers(5, 60)


def test_two_hours_at_thirty_pictures_a_second_are_two_hours():
    plan = PartPlan.every(7200, 30)
    assert plan.period == 216_000
    assert plan.first_sample(1) == 345_600_000


@pytest.mark.parametrize(("seconds", "fps", "period"), [(5, 30, 144), (1, 30, 32), (0.01, 30, 16), (5, 25, 128)])
def test_parts_are_as_near_to_their_length_as_whole_frames_allow(seconds: float, fps: int, period: int):
    assert PartPlan.every(seconds, fps).period == period


@given(RATES, st.floats(1, 8000), st.integers(0, 50))
def test_every_cut_is_exact_for_pictures_and_sound(fps: int, seconds: float, part: int):
    plan = PartPlan.every(seconds, fps)
    sample = plan.first_sample(part)
    assert sample % 1024 == 0
    assert sample * fps == plan.first_tick(part) * 48_000
    assert abs(plan.period / fps - seconds) <= 1024 / 48_000 * fps or plan.period * 2 > seconds * fps


@given(RATES, st.floats(1, 100), st.integers(0, 100_000))
def test_every_tick_and_sample_belongs_to_one_part(fps: int, seconds: float, tick: int):
    plan = PartPlan.every(seconds, fps)
    part = plan.part_of_tick(tick)
    assert plan.first_tick(part) <= tick < plan.first_tick(part + 1)
    assert plan.is_cut(tick) == (part > 0 and tick == plan.first_tick(part))
    sample = tick * 1600
    part = plan.part_of_sample(sample)
    assert plan.first_sample(part) <= sample < plan.first_sample(part + 1)


def test_the_priming_before_the_first_sample_is_in_the_first_part():
    plan = PartPlan.every(1, 30)
    assert plan.part_of_sample(-1024) == 0
    assert not plan.is_cut(0)
