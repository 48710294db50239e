"""Runs the measurements and says what came out: a table for people, ``bench-out/bench.json`` for machines."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import captions, clips, css, files, layouts, live, messages, painting, scenes, speech, speech_tables, unseen
from bench.processor import Snapshot
from egress.protocol.encoding import Quality
from egress.protocol.recordings import CompositeRecording
from tests.rig import janus, livekit
from tests.rig.janus import JanusServer
from tests.rig.livekit import LivekitServer

WIDTH, HEIGHT, BITRATE = 1280, 720, 1_500_000


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    load = os.getloadavg()[0]
    _say("making what the guests send (once)")
    paths = [await asyncio.to_thread(clips.path_of, number, WIDTH, HEIGHT, BITRATE) for number in range(clips.GUESTS)]
    told: dict[str, Any] = {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}",
        "load_before": load,
        "call": f"{clips.GUESTS} guests, {WIDTH}x{HEIGHT} VP8 at {BITRATE / 1e6:g} Mbit/s and Opus, composed to 720p30",
        "clip_bitrate": [round(p.stat().st_size * 8 / clips.SECONDS) for p in paths],
    }
    async with JanusServer() as server:
        async with live.publishing(server, paths) as guests:
            await server.until_participants(clips.GUESTS)
            _say(f"recording a live call for {given.seconds:g} s")
            composed = await live.compose(server, guests, folder, given.seconds, _say)
            _say("the same from files by ffmpeg")
            spec = CompositeRecording(egress_id="files", quality=Quality.P720)
            before, began = Snapshot.take({"guests": guests, "janus": server.pid}), time.monotonic()
            from_files = await asyncio.to_thread(files.compose, paths, spec, folder / "files.mp4")
            passed = time.monotonic() - began
            beside = Snapshot.take({"guests": guests, "janus": server.pid}).cores_since(before, passed)
            _say("receiving without doing anything with it")
            received = await live.receive(server, given.seconds / 2)
        _say("starting and stopping")
        late = await live.latencies(server, folder, given.tries)
    told["live"] = asdict(composed)
    told["files"] = asdict(from_files) | {
        "cores": from_files.cores,
        # ffmpeg itself is among the others there, and has ended: it is taken out again.
        "others": max(0.0, beside["others"] - from_files.cpu_seconds / passed),
    }
    told["void"] = composed.void
    told["ratio"] = composed.cores["attendant"] / from_files.cores if composed.void is None else None
    told["receive"] = asdict(received) | {
        "microseconds_per_packet": received.microseconds,
        "cores": received.cpu_seconds / received.seconds,
    }
    told["latency"] = asdict(late)
    return told


async def _measure_unseen(folder: Path, seconds: float) -> dict[str, Any]:
    """Ratios of one run each, by SFU; None where a run proves nothing."""
    found: dict[str, Any] = {"runs": [], "guests": {}, "layers": None}

    def compare(runs: list[unseen.Run]) -> dict[str, Any]:
        found["runs"] += [asdict(run) for run in runs]
        few, many = runs
        voids = [run.void for run in runs if run.void is not None]
        return {
            "video_bitrate": many.video_bitrate / few.video_bitrate,
            "cores": None if voids else many.cores / few.cores,
            "void": voids[0] if voids else None,
        }

    async with JanusServer() as server:
        found["guests"]["janus"] = compare(await unseen.crowd(server, folder, seconds, _say))
    reason = livekit.why_not()
    if reason is not None:
        _say(f"LiveKit is not measured: {reason}")
        return found
    async with LivekitServer() as other:
        found["guests"]["livekit"] = compare(await unseen.crowd(other, folder, seconds, _say))
        found["layers"] = compare(await unseen.layers(other, folder, seconds, _say))
    return found


def _show_unseen(told: dict[str, Any]) -> None:
    table = Table(title="What is not seen is not received", title_justify="left", show_header=False)

    def line(ratios: dict[str, Any]) -> str:
        cores = f"none: {ratios['void']}" if ratios["void"] else f"[bold]{ratios['cores']:.2f}[/]"
        return f"received video × [bold]{ratios['video_bitrate']:.2f}[/], processor time × {cores}"

    for sfu, ratios in told["guests"].items():
        table.add_row(f"{unseen.CROWD} guests beside {unseen.SHOWN}, {sfu}", line(ratios))
    if told["layers"] is not None:
        table.add_row("tiles of a quarter: layers beside 720p alone, livekit", line(told["layers"]))
    for run in told["runs"]:
        table.add_row(
            f"{run['sfu']}, {run['guests']} guests{', layers' if run['layered'] else ''}",
            f"{run['video_bitrate'] / 1e6:.2f} Mbit/s of video, {run['cores']:.2f} cores (others {run['others']:.2f})",
        )
    Console(width=max(Console().width, 100)).print(table)


def _show(told: dict[str, Any]) -> None:
    table = Table(title="Wallflower, measured", title_justify="left", show_header=False)
    recorded, received, latency = told["live"], told["receive"], told["latency"]
    cores = recorded["cores"]
    table.add_row("machine", f"{told['machine']}; load before {told['load_before']:.2f}")
    table.add_row("call", told["call"])
    table.add_row("attendant, live", f"{cores['attendant']:.3f} cores over {recorded['seconds']:.0f} s")
    table.add_row("ffmpeg, files", f"{told['files']['cores']:.3f} cores (others {told['files']['others']:.2f})")
    table.add_row("ratio", f"none: {told['void']}" if told["void"] else f"[bold]{told['ratio']:.2f}[/]")
    table.add_row("pictures", f"{recorded['pictures']}, and {recorded['pictures_dropped']} left out")
    rates = [recorded["bytes"] / recorded["seconds"], told["files"]["bytes"] / told["files"]["media_seconds"]]
    table.add_row("bit rates", "attendant {:.2f}, ffmpeg {:.2f} Mbit/s with sound".format(*(r * 8e-6 for r in rates)))
    table.add_row("beside it", ", ".join(f"{name} {cores[name]:.2f}" for name in ("guests", "janus", "others")))
    table.add_row("peak memory", f"{recorded['peak_memory'] / 1e6:.0f} MB")
    table.add_row(
        "receive only",
        f"{received['microseconds_per_packet']:.0f} µs a packet, {received['packets'] / received['seconds']:.0f} "
        f"packets/s, {received['cores']:.3f} cores",
    )
    for name, text in (
        ("attend_with_spare", "first picture, with a spare"),
        ("attend_without_spare", "first picture, without"),
        ("start_when_attended", "first picture, call attended"),
        ("stop_beside_another", "stop, another goes on"),
        ("stop", "stop of the last"),
    ):
        values = latency[name]
        table.add_row(text, f"{statistics.median(values):.2f} s (worst of {len(values)}: {max(values):.2f} s)")
    Console(width=max(Console().width, 100)).print(table)


def _show_messages(told: dict[str, Any]) -> None:
    table = Table(title="Messages, through Redis to two workers on PostgreSQL", title_justify="left", show_header=False)
    answers = ", ".join(f"{count} {code}" for code, count in told["answers"].items())
    table.add_row("messages", f"{told['messages']}: 3 of 5 change a call, 2 ask for what is refused; all are answered")
    table.add_row(
        "throughput",
        f"[bold]{told['per_second']:.0f}[/] a second ({told['seconds']:.1f} s, sent in {told['sending']:.1f} s)",
    )
    table.add_row("carried out", f"{told['handled']} times, {told['distinct']} different ones; answered {answers}")
    table.add_row("left over", f"{told['left_over']}; calls changed {told['changed_calls']}")
    memory = ", ".join(
        f"{before / 1e6:.0f} → {peak / 1e6:.0f} MB"
        for before, peak in zip(told["memory_before"], told["memory_peak"], strict=True)
    )
    table.add_row("memory", f"{memory} (before, at its peak; each worker)")
    Console(width=max(Console().width, 100)).print(table)


def _show_painting(told: dict[str, Any]) -> None:
    table = Table(title="Painting names, borders and initials", title_justify="left", show_header=False)
    table.add_row(
        f"{painting.GUESTS} guests at 720p",
        f"first {told['first']:.1f} ms, when another one speaks {told['speaker']:.1f} ms "
        f"([bold]× {told['repeated']:.2f}[/]), unchanged {told['unchanged']:.2f} ms",
    )
    table.add_row("deciding the scene", f"{told['scene']:.2f} ms")
    Console(width=max(Console().width, 100)).print(table)


def _measure_painting() -> dict[str, Any]:
    painted = painting.run()
    return asdict(painted) | {"repeated": painted.repeated}


def _measure_messages(folder: Path, count: int) -> dict[str, Any] | None:
    reason = messages.why_not()
    if reason is not None:
        _say(f"messages are not measured: {reason}")
        return None
    handled = messages.run(folder, _say, count)
    return asdict(handled) | {"per_second": handled.per_second}


async def _measure_speech(folder: Path, seconds: float) -> dict[str, Any]:
    told = await captions.run(folder, 2 * seconds, _say)
    spoken = await speech.speak(folder, seconds, _say)
    silent = await speech.silent(seconds / 3, _say)
    return {
        "captions": asdict(told),
        "spoken": asdict(spoken) | {"cost_per_hour": spoken.cost_per_hour},
        "silent": asdict(silent),
    }


def _show_scenes(told: list[dict[str, Any]]) -> None:
    title = f"Scenes of {scenes.GUESTS} guests, somebody else speaking in each"
    table = Table(title=title, title_justify="left", show_header=False)
    for run in told:
        table.add_row(
            f"{run['layout']}, {run['options']}",
            f"[bold]{run['median']:.2f}[/] ms a scene (95 of 100 under {run['worst_of_twenty']:.2f} ms)",
        )
    Console(width=max(Console().width, 100)).print(table)


def _show_css(told: dict[str, Any]) -> None:
    table = Table(title="A style sheet over a layout", title_justify="left", show_header=False)
    table.add_row("processor time", f"none: {told['void']}" if told["void"] else f"× [bold]{told['ratio']:.2f}[/]")
    for kind in ("with_it", "without"):
        for run in told[kind]:
            table.add_row("with a style sheet" if kind == "with_it" else "without", _cost(run))
    Console(width=max(Console().width, 100)).print(table)


def _show_layouts(told: dict[str, Any]) -> None:
    table = Table(title="Layouts: a call of nine at 720p", title_justify="left", show_header=False)
    for name, run in told.items():
        table.add_row(name, _cost(run))
    Console(width=max(Console().width, 100)).print(table)


def _cost(run: dict[str, Any]) -> str:
    return (
        f"{run['cores']:.3f} cores over {run['seconds']:.0f} s, {run['pictures']} pictures, "
        f"{run['pictures_dropped']} left out"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long the live call is measured")
    parser.add_argument("--tries", type=int, default=3, help="how often starting and stopping is timed")
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--messages", type=int, default=messages.COUNT, help="how many messages are sent")
    alone = ("css", "layouts", "live", "messages", "painting", "scenes", "speech", "unseen")
    parser.add_argument("--only", choices=alone, help="measure this alone")
    given = parser.parse_args()
    reason = janus.why_not()
    if reason is not None and given.only not in ("css", "layouts", "messages", "painting", "scenes", "speech"):
        _say(f"nothing is measured: {reason}")
        return 1
    told: dict[str, Any] = {}
    if given.only in (None, "painting"):
        told["painting"] = _measure_painting()
    with tempfile.TemporaryDirectory(prefix="wf-bench-") as folder:
        if given.only in (None, "scenes"):
            told["scenes"] = [asdict(run) for run in scenes.run()]
        if given.only in (None, "messages"):
            told["queue"] = _measure_messages(Path(folder), given.messages)
        if given.only in (None, "css"):
            compared = asyncio.run(css.compare(Path(folder), given.seconds, _say))
            told["css"] = asdict(compared) | {"ratio": compared.ratio, "void": compared.void}
        if given.only in (None, "layouts"):
            costs = asyncio.run(layouts.run(Path(folder), given.seconds / 2, _say))
            told["layouts"] = {name: asdict(cost) for name, cost in costs.items()}
        if given.only in (None, "speech"):
            told["speech"] = asyncio.run(_measure_speech(Path(folder), given.seconds))
        if given.only in (None, "unseen"):
            told["unseen"] = asyncio.run(_measure_unseen(Path(folder), given.seconds / 2))
        if given.only in (None, "live"):
            told |= asyncio.run(_measure(given, Path(folder)))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "bench.json"
    path.write_text(json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **told}, indent=2) + "\n")
    if "scenes" in told:
        _show_scenes(told["scenes"])
    if "css" in told:
        _show_css(told["css"])
    if "layouts" in told:
        _show_layouts(told["layouts"])
    if told.get("queue"):
        _show_messages(told["queue"])
    if "painting" in told:
        _show_painting(told["painting"])
    if "speech" in told:
        speech_tables.show(told["speech"])
    if "unseen" in told:
        _show_unseen(told["unseen"])
    if "live" in told:
        _show(told)
    print(f"{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
