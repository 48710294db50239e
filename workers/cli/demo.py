"""``wallflower demo``: live progress while it runs, tables of what came of it at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from workers import demo
from workers.cli.app import CliError, Exit
from workers.settings import Settings


def run(seconds: float, out: Path) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    console = Console()
    try:
        settings = demo.settings_for(demo.folder_for(out))
        if console.is_terminal:
            result = _with_bar(seconds, settings, console)
        else:
            result = asyncio.run(demo.run(seconds, settings, _lines(seconds)))
    except demo.DemoError as error:
        raise CliError(Exit.FAILED, f"the demo failed: {error}; logs are in {out / 'run'}") from None
    _show(result, console)


def _with_bar(seconds: float, settings: Settings, console: Console) -> demo.Result:
    columns = (
        TextColumn("{task.description:32}"),
        BarColumn(),
        TextColumn("{task.fields[people]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting a worker", total=seconds, people="")

        def tell(step: demo.Step | demo.Caption) -> None:
            if isinstance(step, demo.Caption):
                bar.console.print(f"[bold]{escape(step.name)}:[/] {escape(step.text)}", highlight=False)
                return
            people = f"{step.participants} guests" if step.participants else ""
            bar.update(task, description=step.what, completed=min(step.recorded, seconds), people=people)

        return asyncio.run(demo.run(seconds, settings, tell))


def _lines(seconds: float) -> Callable[[demo.Step | demo.Caption], None]:
    """Plain lines for logs: when something new begins, and every few seconds while it lasts."""
    begun = time.monotonic()
    last = ("", begun)

    def tell(step: demo.Step | demo.Caption) -> None:
        nonlocal last
        now = time.monotonic()
        if isinstance(step, demo.Caption):
            print(f"{now - begun:5.1f} s  {step.name}: {step.text}", flush=True)
            return
        if step.what == last[0] and now - last[1] < 3:
            return
        last = (step.what, now)
        more = f" {min(step.recorded, seconds):.0f} of {seconds:.0f} s" if step.recorded else ""
        more += f", {step.participants} guests" if step.recorded and step.participants else ""
        print(f"{now - begun:5.1f} s  {step.what}{more}", flush=True)

    return tell


def _show(result: demo.Result, console: Console) -> None:
    listing = Table("file", "duration", "size", title="Files", title_justify="left", box=None)
    for file in result.files:
        name = file.key.rpartition("/")[2] if file.key else ""
        listing.add_row(name, f"{file.duration or 0:.2f} s", f"{(file.size or 0) / 1e6:.2f} MB")
    told = Table("time", "event", title="Events", title_justify="left", box=None)
    for event in result.events:
        if event["type"] != "call.closed_caption":
            told.add_row(event["created_at"][11:23], event["type"])
    console.print()
    for line in result.transcript:
        told_at = line["start_time"][11:19]
        console.print(f"{told_at}  {line['speaker_id']}: {line['text']}", highlight=False, soft_wrap=True)
    console.print(listing)
    console.print()
    console.print(told)
    console.print()
    # Neither paths nor URLs are wrapped: people copy them.
    for file in result.files:
        console.print(f"Stored: {file.url}", highlight=False, soft_wrap=True)
    for name, fact in result.facts:
        console.print(f"Checked {name}: {fact}", highlight=False, soft_wrap=True)
    console.print(f"Look at it: {result.page}", highlight=False, soft_wrap=True)
