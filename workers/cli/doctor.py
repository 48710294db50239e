"""``wallflower doctor``: what is installed, reachable and writable, each with one sentence."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import typer

from workers.settings import SettingsError, load


@dataclass(frozen=True, slots=True)
class Finding:
    """``ok`` is None for what stops nothing and should be looked at all the same."""

    check: str
    ok: bool | None
    text: str


class Broken(Exception):
    """A check's bad news."""


class Lacking(Exception):
    """Something that is only good to have is not there, or something is not quite as it should be."""


def run(as_json: bool) -> None:
    findings = examine()
    healthy = all(finding.ok is not False for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(f) for f in findings]}, indent=2))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, show_header=False)
        marks = {True: "[green]ok[/]", False: "[red]broken[/]", None: "[yellow]look[/]"}
        for finding in findings:
            table.add_row(marks[finding.ok], finding.check, finding.text)
        Console().print(table)
    raise typer.Exit(0 if healthy else 1)


def examine() -> list[Finding]:
    found = [_look("python", _python), _look("codecs", _codecs)]
    for library in ("libEGL.so.1", "libGL.so.1"):
        found.append(_look(library, lambda name=library: _library(name)))  # type: ignore[misc]
    found += [_look("fonts", _fonts), _look("connectors", _connectors), _look("pages", _pages)]
    try:
        settings = load()
    except SettingsError as error:
        return [*found, Finding("settings", False, str(error))]
    found.append(Finding("settings", True, f"data in {settings.data_dir.absolute()}"))
    from workers.cli.doctor_site import checks

    return [*found, *(_look(name, check) for name, check in checks(settings))]


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Lacking as error:
        return Finding(name, None, str(error))
    except Exception as error:  # whatever is wrong is what the doctor is asked to tell
        return Finding(name, False, str(error) or type(error).__name__)


def _python() -> str:
    return f"Python {sys.version.split()[0]}"


def _codecs() -> str:
    import av

    needed: dict[str, Literal["r", "w"]] = {
        "libx264": "w",
        "aac": "w",
        "libmp3lame": "w",
        "vp8": "r",
        "h264": "r",
        "libopus": "r",
    }
    missing = []
    for name, mode in needed.items():
        try:
            av.Codec(name, mode)
        except (av.FFmpegError, ValueError):
            missing.append(name)
    if missing:
        raise Broken(f"PyAV {av.__version__} lacks {', '.join(missing)}; install the wheel from PyPI")
    return f"PyAV {av.__version__} has {', '.join(needed)}"


def _library(name: str) -> str:
    try:
        ctypes.CDLL(name)
    except OSError:
        raise Broken(f"{name} is not installed (Debian: apt install libegl1 libgl1)") from None
    return "installed"


def _fonts() -> str:
    """Which scripts names can be written in."""
    from layouts.fonts import SCRIPTS, missing
    from layouts.text import font_manager

    lacking = missing(font_manager())
    if lacking:
        packages = " ".join(dict.fromkeys(lacking.values()))
        raise Lacking(f"names in {', '.join(lacking)} would show boxes (Debian: apt install {packages})")
    return f"names in all of {len(SCRIPTS)} scripts are drawn"


def _pages() -> str:
    from workers.cli.doctor_pages import check

    return check()


def _connectors() -> str:
    from egress.call.connector import connector, connector_types

    for name in connector_types():
        if not isinstance(connector(name).Address, type):
            raise Broken(f"connector {name} has no address model")
    return ", ".join(connector_types())
