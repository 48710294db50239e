"""A layout that changes while it is recorded: what a message says, laid over what runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layouts.option_table import BY_NAME

Heard = Mapping[str, Any]
"""When a whole layout was said last (``layout``), and each option since (``options``), in milliseconds by the clocks of
those who said it."""


def changed(
    running: Mapping[str, Any],
    heard: Heard,
    layout: Mapping[str, Any] | None,
    options: Mapping[str, Any] | None,
    sent_ms: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The layout that is to run, and what was heard by then.

    ``layout`` takes the place of the one that runs, ``options`` are laid over its options; one that is None is its
    default again. What a later message has said stays.
    """
    result, times = dict(running), {"layout": heard.get("layout", -1), "options": dict(heard.get("options", {}))}
    if layout is not None and sent_ms >= times["layout"]:
        later = {name: at for name, at in times["options"].items() if at > sent_ms}
        own = {name: value for name, value in running.get("options", {}).items() if name in later}
        taken_back = dict.fromkeys(later.keys() - own.keys())
        result = {**layout, "options": with_options(layout.get("options", {}), {**taken_back, **own})}
        times = {"layout": sent_ms, "options": later}
    news = {
        name: value
        for name, value in (options or {}).items()
        if sent_ms >= max(times["layout"], *(times["options"].get(other, -1) for other in names_of(name)))
    }
    result["options"] = with_options(result.get("options", {}), news)
    times["options"] |= dict.fromkeys(news, sent_ms)
    return result, times


def with_options(running: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """``said`` laid over ``running``, whichever of its names an option was given by."""
    result = dict(running)
    for name, value in said.items():
        for other in names_of(name):
            result.pop(other, None)
        if value is not None:
            result[name] = value
    return result


def names_of(name: str) -> frozenset[str]:
    """All names of the option that goes by this one."""
    return frozenset(BY_NAME[name].names) if name in BY_NAME else frozenset({name})
