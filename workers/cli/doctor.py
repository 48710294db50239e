"""``wallflower doctor``: what is installed, reachable and writable, each with one sentence."""

from __future__ import annotations

import ctypes
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from workers.keyring import keyring
from workers.settings import Settings, SettingsError, load


@dataclass(frozen=True, slots=True)
class Finding:
    """``ok`` is None for something that is only good to have."""

    check: str
    ok: bool | None
    text: str


class _Broken(Exception):
    """A check's bad news."""


class _Lacking(Exception):
    """Something that is only good to have is not there."""


def run(as_json: bool) -> None:
    findings = examine()
    healthy = all(finding.ok is not False for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(f) for f in findings]}, indent=2))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, show_header=False)
        marks = {True: "[green]ok[/]", False: "[red]broken[/]", None: "[yellow]missing[/]"}
        for finding in findings:
            table.add_row(marks[finding.ok], finding.check, finding.text)
        Console().print(table)
    raise typer.Exit(0 if healthy else 1)


def examine() -> list[Finding]:
    found = [_look("python", _python), _look("codecs", _codecs)]
    for library in ("libEGL.so.1", "libGL.so.1"):
        found.append(_look(library, lambda name=library: _library(name)))  # type: ignore[misc]
    found += [_look("fonts", _fonts), _look("connectors", _connectors)]
    try:
        settings = load()
    except SettingsError as error:
        return [*found, Finding("settings", False, str(error))]
    found.append(Finding("settings", True, f"data in {settings.data_dir.absolute()}"))
    with_settings: dict[str, Callable[[Settings], str]] = {
        "ledger": _ledger,
        "spool": _spool,
        "storage": _storage,
        "broker": _broker,
        "attendants": _attendants,
        "ice": _ice,
    }
    for name, check in with_settings.items():
        found.append(_look(name, lambda check=check: check(settings)))  # type: ignore[misc]
    return found


def _look(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except _Lacking as error:
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
        raise _Broken(f"PyAV {av.__version__} lacks {', '.join(missing)}; install the wheel from PyPI")
    return f"PyAV {av.__version__} has {', '.join(needed)}"


def _library(name: str) -> str:
    try:
        ctypes.CDLL(name)
    except OSError:
        raise _Broken(f"{name} is not installed (Debian: apt install libegl1 libgl1)") from None
    return "installed"


def _fonts() -> str:
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]
    count = sum(1 for folder in folders for p in folder.rglob("*") if p.suffix in (".ttf", ".otf", ".ttc"))
    if count == 0:
        raise _Lacking("no fonts: names would not be drawn (Debian: apt install fonts-noto-core fonts-noto-cjk)")
    return f"{count} font files"


def _connectors() -> str:
    from egress.call.connector import connector, connector_types

    for name in connector_types():
        if not isinstance(connector(name).Address, type):
            raise _Broken(f"connector {name} has no address model")
    return ", ".join(connector_types())


def _ledger(settings: Settings) -> str:
    from workers.ledger.database import HEAD, Ledger

    ledger = Ledger(settings.ledger_url, keyring(settings), settings.ledger.busy_timeout)
    try:
        version = ledger.version()
        if version is not None and version != HEAD:
            return f"{ledger.shown_url} stands at {version}; the next worker brings it to {HEAD}"
        return f"{ledger.shown_url} " + ("is empty; the next worker sets it up" if version is None else f"at {HEAD}")
    finally:
        ledger.close()


def _spool(settings: Settings) -> str:
    settings.spools.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.spools):
        free = shutil.disk_usage(settings.spools).free
    if free < settings.spool.min_free:
        raise _Broken(f"{settings.spools} has {free // 10**6} MB free, less than spool.min_free")
    return f"{settings.spools} is writable, {free / 1e9:.1f} GB free"


def _storage(settings: Settings) -> str:
    from storage.local import LocalTarget

    LocalTarget(settings.recordings, "local").check()
    return f"local: {settings.recordings} is writable"


def _broker(settings: Settings) -> str:
    from workers.broker import embedded, reachable, shown_url

    reachable(settings)
    return "inside the process" if embedded(settings) else f"{shown_url(settings)} answers"


def _attendants(settings: Settings) -> str:
    command = settings.attendants.command
    if shutil.which(command[0]) is None:
        raise _Broken(f"attendants.command names {command[0]}, which cannot be run")
    return " ".join(command)


def _ice(settings: Settings) -> str:
    from workers.worker import ice_settings

    found = ice_settings(settings)
    return ", ".join(found.networks) if found.networks else "every address but loopback"
