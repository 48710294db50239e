"""The stage of the spotlight, whatever is asked of the bar beside it."""

from __future__ import annotations

import pytest

from layouts.engine import compose
from tests.layouts.calls import call_of


@pytest.mark.parametrize("position", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("size", [(854, 480), (1280, 720), (720, 1280)])
def test_the_greatest_bar_and_margins_leave_a_stage_worth_looking_at(position: str, size: tuple[int, int]) -> None:
    options = {"grid.position": position, "grid.size_percentage": 100, "grid.margin": 500, "grid.cell_padding": "5%"}
    stage, *bar = compose("spotlight", options, size, call_of(9)).tiles
    assert bar
    assert min(stage.rect.width, stage.rect.height) >= min(size) / 12
