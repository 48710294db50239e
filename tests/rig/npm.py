"""Packages of npm: pinned by a lock file of ours, installed once into the cache folder of whoever runs the tests."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.rig.servers.built import cache

_INSTALL_TIME = 300.0


class CannotInstall(Exception):
    """npm does not install what the lock file names. The tests that need it prove nothing then, and fail."""


def modules(folder: Path) -> Path:
    """The ``node_modules`` of the package in ``folder``, installed when they are not there. Raises CannotInstall."""
    place = _place(folder)
    found = place / "node_modules"
    if found.is_dir():
        return found
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name("install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.is_dir():
            _install(folder, place)
    return found


def why_not(folder: Path) -> str | None:
    """One line on why the modules are not there and cannot be installed, or None."""
    if (_place(folder) / "node_modules").is_dir() or shutil.which("npm"):
        return None
    return "npm is not installed (Debian packages nodejs and npm)"


def _place(folder: Path) -> Path:
    """Another lock file's modules go elsewhere."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    return cache() / "npm" / f"{folder.name}-{lock[:16]}"


def _install(folder: Path, place: Path) -> None:
    unfinished = place.with_name(f"{place.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, unfinished)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=unfinished, capture_output=True, text=True, timeout=_INSTALL_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise CannotInstall(f"{' '.join(command)}: {done.stderr[-1500:]}")
    unfinished.replace(place)
