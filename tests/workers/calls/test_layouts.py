"""Layouts that change while they are recorded: messages count in the order in which they were sent."""

from __future__ import annotations

from typing import Any

from workers.calls.layouts import changed, with_options

GRID: dict[str, Any] = {"name": "grid", "options": {"grid.columns": 3, "video.scale_mode": "fit"}}


def test_options_alone_are_laid_over_those_that_run() -> None:
    layout, _ = changed(GRID, {}, None, {"grid.columns": 2, "grid.rows": 2}, 100)
    assert layout == {"name": "grid", "options": {"grid.columns": 2, "grid.rows": 2, "video.scale_mode": "fit"}}


def test_an_option_that_is_null_takes_its_default_again() -> None:
    layout, _ = changed(GRID, {}, None, {"grid.columns": None}, 100)
    assert layout["options"] == {"video.scale_mode": "fit"}


def test_a_layout_takes_the_place_of_the_whole_one() -> None:
    layout, _ = changed(GRID, {}, {"name": "spotlight", "options": {"grid.position": "top"}}, {"grid.rows": 1}, 100)
    assert layout == {"name": "spotlight", "options": {"grid.position": "top", "grid.rows": 1}}


def test_another_name_of_an_option_takes_its_place() -> None:
    assert with_options({"participant.border_radius": 2}, {"participant.video_border_radius": 3}) == {
        "participant.video_border_radius": 3
    }
    assert with_options({"participant.border_radius": 2}, {"participant.video_border_radius": None}) == {}


def test_an_older_message_that_comes_late_undoes_nothing_that_a_later_one_said() -> None:
    layout, heard = changed(GRID, {}, None, {"grid.columns": 2}, 200)
    layout, heard = changed(layout, heard, None, {"grid.columns": 5, "grid.rows": 2}, 100)
    assert layout["options"] == {"grid.columns": 2, "grid.rows": 2, "video.scale_mode": "fit"}
    layout, heard = changed(layout, heard, {"name": "grid", "options": {"grid.columns": 9}}, None, 150)
    assert layout["options"] == {"grid.columns": 2}
    layout, heard = changed(layout, heard, {"name": "spotlight", "options": {}}, None, 300)
    layout, _ = changed(layout, heard, {"name": "grid", "options": {}}, {"grid.rows": 1}, 250)
    assert layout == {"name": "spotlight", "options": {}}


def test_an_option_that_was_taken_back_later_stays_taken_back() -> None:
    layout, heard = changed(GRID, {}, None, {"grid.columns": None}, 200)
    layout, _ = changed(layout, heard, {"name": "grid", "options": {"grid.columns": 4, "grid.rows": 2}}, None, 100)
    assert layout["options"] == {"grid.rows": 2}
