"""A screen that nobody sees: Xvfb with a cookie, of which this process alone has the other half."""

from __future__ import annotations

import asyncio
import os
import secrets
import struct
from asyncio.subprocess import Process
from pathlib import Path

from egress.browser.children import User, end, environment, start
from egress.page.trouble import PageTrouble

START_TIMEOUT = 15.0
NARROWEST = 500
"""Pixels. No window of Chromium is narrower."""
BESIDE = 64
"""Pixels of screen beside the window. Chromium makes a window that would just fill the screen one pixel smaller."""
_PROTOCOL = b"MIT-MAGIC-COOKIE-1"
_ANY_FAMILY = 65535


class Display:
    """One X server."""

    def __init__(self, process: Process, name: str, authority: Path) -> None:
        self.process = process
        self.name = name
        """What ``DISPLAY`` is set to."""
        self.authority = authority
        """The file with the cookie: what ``XAUTHORITY`` is set to."""

    @classmethod
    async def open(cls, folder: Path, size: tuple[int, int], user: User | None) -> Display:
        """A screen with room for pages of that size. Raises PageTrouble."""
        authority = folder / "authority"
        if not authority.exists():
            _write_cookie(authority, user)
        width, height = window_size(size)
        number_out, number_in = os.pipe()
        try:
            process = await start(
                (
                    *("Xvfb", "-displayfd", str(number_in), "-screen", "0", f"{width + BESIDE}x{height + BESIDE}x24"),
                    *("-nolisten", "tcp", "-auth", str(authority), "-dpi", "96", "-noreset"),
                ),
                user,
                environment(folder),
                pass_fds=(number_in,),
                dies_by="TERM",
            )
        except FileNotFoundError as error:
            os.close(number_out)
            raise PageTrouble("display_failed", f"no screen can be had: {error}", final=True) from None
        finally:
            os.close(number_in)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                number = await _line(number_out)
        except TimeoutError:
            number = b""
        finally:
            os.close(number_out)
        if not number.strip().isdigit():
            await end(process)
            raise PageTrouble("display_failed", "Xvfb could not be started (Debian: apt install xvfb)")
        return cls(process, f":{number.strip().decode()}", authority)

    async def close(self) -> None:
        await end(self.process)


def window_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size of the window in which a page of that size lies, at its upper left."""
    return max(size[0], NARROWEST), size[1]


async def _line(descriptor: int) -> bytes:
    """What comes through a pipe until its end, or a line's."""
    os.set_blocking(descriptor, False)
    loop = asyncio.get_running_loop()
    read = b""
    while not read.endswith(b"\n"):
        ready = loop.create_future()
        loop.add_reader(descriptor, lambda ready=ready: ready.done() or ready.set_result(None))  # type: ignore[misc]
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)
        if not (piece := os.read(descriptor, 64)):
            break
        read += piece
    return read


def _write_cookie(path: Path, user: User | None) -> None:
    """An Xauthority file of one entry that is good for every screen: X servers and their clients read the same."""
    cookie = secrets.token_bytes(16)
    fields = (b"", b"", _PROTOCOL, cookie)
    entry = struct.pack(">H", _ANY_FAMILY) + b"".join(struct.pack(">H", len(f)) + f for f in fields)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(entry)
    if user is not None:
        os.chown(path, user.uid, user.gid)
