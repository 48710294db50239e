import pytest

from egress.call.janus.layers import EVERYTHING, configuration, substream, temporal
from egress.call.model import Wants


@pytest.mark.parametrize(
    ("height", "layer"), [(1, 0), (90, 0), (180, 0), (181, 1), (240, 1), (360, 1), (361, 2), (720, 2), (1440, 2)]
)
def test_the_lowest_layer_that_fills_the_tile_is_chosen(height: int, layer: int) -> None:
    assert substream(height) == layer


@pytest.mark.parametrize(("fps", "layer"), [(1, 0), (7.5, 0), (10, 1), (15, 1), (24, 2), (60, 2)])
def test_the_lowest_temporal_layer_that_is_fast_enough_is_chosen(fps: float, layer: int) -> None:
    assert temporal(fps) == layer


def test_a_hidden_track_is_not_sent() -> None:
    assert configuration("1", None, simulcast=True) == {"mid": "1", "send": False}
    assert configuration("1", None, simulcast=False) == {"mid": "1", "send": False}


def test_layers_are_named_only_where_there_are_some() -> None:
    wish = Wants(320, 180, 10)

    assert configuration("1", wish, simulcast=False) == {"mid": "1", "send": True}
    assert configuration("1", wish, simulcast=True) == {"mid": "1", "send": True, "substream": 0, "temporal": 1}


def test_who_says_nothing_gets_everything() -> None:
    assert configuration("1", EVERYTHING, simulcast=True) == {"mid": "1", "send": True, "substream": 2, "temporal": 2}
