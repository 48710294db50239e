"""What egresses cost, and which calls fit, as tables."""

from __future__ import annotations

import pytest

from egress.protocol.encoding import Quality
from egress.protocol.recordings import CompositeRecording
from workers.capacity import Load, cores, lacks, works
from workers.ledger.states import State


@pytest.mark.parametrize(
    ("quality", "fps", "cost"),
    [
        ("720p", 30, 1.0),
        ("portrait-720x1280", 30, 1.0),
        ("720p", 15, 0.5),
        ("360p", 30, 0.25),
        ("1080p", 30, 2.25),
        ("1440p", 60, 8.0),
        ("audio-only", 30, 0.1),
    ],
)
def test_a_composite_costs_by_its_pixels_and_pictures(quality: str, fps: int, cost: float) -> None:
    spec = CompositeRecording.model_validate({"egress_id": "e", "quality": quality, "video": {"fps": fps}})
    assert cores(spec.kind, spec.model_dump(mode="json")) == cost


def test_a_page_costs_its_browser_as_well() -> None:
    page = {"url": "https://a.example/"}
    for quality, cost in (("720p", 2.0), ("1080p", 4.5), ("audio-only", 1.1)):
        spec = CompositeRecording.model_validate(
            {"egress_id": "e", "kind": "web_recording", "quality": quality, "page": page}
        )
        assert cores(spec.kind, spec.model_dump(mode="json")) == cost


@pytest.mark.parametrize("quality", list(Quality))
def test_every_quality_costs_something(quality: Quality) -> None:
    assert cores("composite_recording", {"quality": quality.value}) > 0


@pytest.mark.parametrize(
    ("state", "desired", "costs"),
    [
        (State.PENDING, "run", True),
        (State.PENDING, "stop", False),
        (State.STARTING, "run", True),
        (State.ACTIVE, "stop", True),
        (State.STOPPING, "stop", True),
        (State.FINALIZING, "stop", False),
        (State.COMPLETE, "run", False),
        (State.FAILED, "run", False),
        (State.ABORTED, "stop", False),
    ],
)
def test_only_what_is_recorded_costs(state: State, desired: str, costs: bool) -> None:
    assert works(state, desired) is costs


@pytest.mark.parametrize(
    ("load", "asked", "cpus", "most", "said"),
    [
        (Load(), 1.0, 2.0, 8, None),
        (Load(), 5.0, 2.0, 8, None),  # an idle host takes one call, however small it is
        (Load(1.0, 1), 1.0, 2.0, 8, None),
        (Load(0.1, 1), 0.1, 0.2, 8, None),
        (Load(1.5, 1), 1.0, 2.0, 8, "it takes 1 cores, and of 2 (agent.cpus) 0.5 are free"),
        (Load(3.0, 1), 0.1, 2.0, 8, "it takes 0.1 cores, and of 2 (agent.cpus) 0 are free"),
        (Load(0.2, 2), 0.1, 2.0, 2, "2 calls are attended already (attendants.max)"),
        (Load(9.0, 9), 0.0, 2.0, 2, None),  # nothing is to be received: it is only watched
    ],
)
def test_calls_fit_by_cores_and_by_number(load: Load, asked: float, cpus: float, most: int, said: str | None) -> None:
    assert lacks(load, asked, cpus, most) == said
