"""Settings laid over settings."""

from __future__ import annotations

from workers.calls.merging import at, leaves, merged, without


def test_objects_are_laid_over_each_other_field_by_field() -> None:
    base = {"recording": {"mode": "available", "quality": "720p"}, "limits": {"max_duration_seconds": 60}}
    assert merged(base, {"recording": {"mode": "auto-on"}}) == {
        "recording": {"mode": "auto-on", "quality": "720p"},
        "limits": {"max_duration_seconds": 60},
    }
    assert base["recording"] == {"mode": "available", "quality": "720p"}


def test_a_layout_goes_with_its_options() -> None:
    base = {"recording": {"layout": {"name": "spotlight", "options": {"title.text": "Monday"}}}}
    assert merged(base, {"recording": {"layout": {"name": "grid"}}}) == {"recording": {"layout": {"name": "grid"}}}


def test_null_is_a_value() -> None:
    assert merged({"limits": {"max_duration_seconds": 60}}, {"limits": {"max_duration_seconds": None}}) == {
        "limits": {"max_duration_seconds": None}
    }


def test_leaves_are_what_is_laid_over_something() -> None:
    said = {"recording": {"mode": "auto-on", "layout": {"name": "grid"}}, "geofencing": {"names": []}}
    assert dict(leaves(said)) == {
        ("recording", "mode"): "auto-on",
        ("recording", "layout"): {"name": "grid"},
        ("geofencing", "names"): [],
    }
    assert at(said, ("recording", "mode")) == "auto-on"
    assert at(said, ("recording", "quality")) is None


def test_a_part_that_is_taken_out_leaves_the_rest() -> None:
    said = {"recording": {"mode": "auto-on", "quality": "8k"}, "limits": {}}
    assert without(said, ("recording", "quality")) == {"recording": {"mode": "auto-on"}, "limits": {}}
    assert without({"hls": {"quality_tracks": ["a", 5]}}, ("hls", "quality_tracks", 1)) == {"hls": {}}
