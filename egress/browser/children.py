"""Programs that a browser needs around it: run as somebody who may do little, and gone with whoever started them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE = 2.0
"""Seconds in which a child that is told to end may end by itself."""
_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "FONTCONFIG_FILE", "FONTCONFIG_PATH")


@dataclass(frozen=True, slots=True)
class User:
    name: str
    uid: int
    gid: int


def user_below_root() -> User | None:
    """Whom children run as when we are root, so that a page that breaks out of its browser is nobody here."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return User("nobody", nobody.pw_uid, nobody.pw_gid)


def tied(command: Sequence[str], user: User | None, dies_by: str = "KILL") -> list[str]:
    """The command so that the kernel sends it that signal when its parent dies, and run as ``user``.

    Raises FileNotFoundError when there is no setpriv (util-linux) for it.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError("setpriv is not installed (Debian: apt install util-linux)")
    who = [] if user is None else ["--reuid", str(user.uid), "--regid", str(user.gid), "--clear-groups"]
    return [setpriv, *who, "--pdeathsig", dies_by, "--", *command]


def tied_script(folder: Path, program: Path, user: User | None) -> Path:
    """A script in ``folder`` that runs a program tied, for those who start programs by their path alone.

    What it runs leads a process group where its parent sees to that; :func:`kill_script` ends the group.
    """
    script = folder / program.name
    command = shlex.join(tied([str(program)], user))
    script.write_text(f'#!/bin/sh\necho $$ >"$0.pid"\nexec {command} "$@"\n')
    script.chmod(0o755)
    return script


def kill_script(script: Path) -> None:
    """Kill what a script of :func:`tied_script` runs, with its process group, if it runs still."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(Path(f"{script}.pid").read_text())
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)


def private_folder(folder: Path, user: User | None) -> Path:
    """Make a folder for the children's eyes alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    return folder


def environment(home: Path, **more: str) -> dict[str, str]:
    """As little as programs with a home folder of their own need, out of ours."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
    places = {name: str(home) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    return {"PATH": os.defpath, **kept, **places, "DBUS_SESSION_BUS_ADDRESS": "disabled:", **more}


async def start(
    command: Sequence[str],
    user: User | None,
    environment: Mapping[str, str],
    *,
    stdout: int | None = asyncio.subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    dies_by: str = "KILL",
) -> asyncio.subprocess.Process:
    """Start a child in a process group of its own. To be called on the main thread: the child is tied to its life.

    Raises FileNotFoundError when there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"{command[0]} is not installed")
    return await asyncio.create_subprocess_exec(
        *tied(command, user, dies_by),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )


async def end(child: asyncio.subprocess.Process) -> None:
    """End a child and everything in its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await child.wait()
                break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
