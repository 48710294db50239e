"""What was measured of captions and of speech to text, as tables for people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.captions import BARS
from bench.speech import SILENT, SPEAKERS, percentile
from bench.talk import TALKERS


def show(told: dict[str, Any]) -> None:
    """``told`` has ``captions``, ``spoken`` and ``silent``: the fields of what was measured."""
    console = Console(width=max(Console().width, 120))
    console.print(_captions(told["captions"]))
    console.print(_speech(told["spoken"], told["silent"]))


def _captions(told: dict[str, Any]) -> Table:
    table = _table(f"Captions of {TALKERS} who all talk, with the test model on one thread")
    cores, silence = told["cores"], told["silence_duration"]
    table.add_row(
        "machine",
        f"{os.cpu_count()} processors, load before {told['load_before']:.2f}; meanwhile guests and others took "
        f"{cores['others']:.2f} cores",
    )
    table.add_row(
        "sentences",
        f"{told['sentences']} in {told['seconds']:g} s, {told['at_once']:.1f} speakers at a time; {told['found']} "
        f"told, {told['word_errors']:.1%} of their words wrong",
    )
    for share, bar in BARS.items():
        took = percentile(told["received"], share)
        fate = "within" if took <= silence + bar else "[red]over[/]"
        table.add_row(
            f"end of speech to the hook, p{share}",
            f"[bold]{took:.2f} s[/], {fate} {silence + bar:.1f} s: silence_duration_ms ({silence:g} s) + "
            f"{took - silence:.2f} s of {bar:g} s",
        )
    table.add_row("to the event in the ledger", _percentiles(told["written"]))
    table.add_row("real-time factor", f"{told['real_time_factor']:.3f} of a second of inference for one of sound")
    engine, attendant = (cores[name] * told["seconds"] / told["spoken"] for name in ("engine", "attendant"))
    table.add_row(
        "an hour of speech",
        f"{engine + attendant:.3f} hours of a processor: engine {engine:.3f}, attendant with reception {attendant:.3f}",
    )
    return table


def _speech(spoken: dict[str, Any], silent: dict[str, Any]) -> Table:
    table = _table(f"Speech to text of {SPEAKERS} who speak at once, in one process without a network")
    table.add_row(
        "sentences", f"{spoken['sentences']}: {spoken['found']} found in time, {spoken['right']} right in every word"
    )
    table.add_row(
        "end of speech to text",
        f"{_percentiles(spoken['latencies'])}, of which {spoken['silence_duration']:g} s are silence_duration_ms",
    )
    table.add_row("real-time factor", f"{spoken['real_time_factor']:.3f} of a second of inference for one of sound")
    table.add_row(
        "an hour of speech",
        f"{spoken['cost_per_hour']:.3f} hours of a processor (engine {spoken['engine_cpu'] / spoken['spoken']:.3f}, "
        f"listening {spoken['listening_cpu'] / spoken['spoken']:.3f})",
    )
    table.add_row("engine's memory", f"{spoken['engine_memory'] / 1e6:.0f} MB at the most")
    table.add_row(
        f"{SILENT} silent ones",
        f"muted {silent['muted']:.3f}, not sent (DTX) {silent['not_sent']:.3f}, level in the header "
        f"{silent['low_level']:.3f}, silence sent {silent['silence_sent']:.3f}, "
        f"noise of a room sent {silent['noise_sent']:.3f} cores",
    )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", show_header=False)


def _percentiles(seconds: Sequence[float]) -> str:
    return f"p50 {percentile(seconds, 50):.2f} s, p95 {percentile(seconds, 95):.2f} s"
