"""A loudspeaker that nobody hears: PulseAudio with one sink, and what is played to it as samples through a pipe."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import Process
from pathlib import Path

from egress.browser.children import User, end, environment, start
from egress.media.decode import SAMPLE_RATE
from egress.page.trouble import PageTrouble

START_TIMEOUT = 15.0
SINK = "page"
LATENCY = 20
"""Milliseconds of sound in one piece of the monitor."""


class Loudspeaker:
    """A PulseAudio server of one's own. ``samples`` is the pipe: 16 bit, little endian, stereo, at SAMPLE_RATE."""

    def __init__(self, server: str, processes: list[Process], samples: int) -> None:
        self.server = server
        """What ``PULSE_SERVER`` is set to."""
        self.processes = processes
        self.samples = samples

    @classmethod
    async def open(cls, folder: Path, user: User | None) -> Loudspeaker:
        """Start it. Raises PageTrouble. Whoever reads ``samples`` closes it."""
        socket = folder / "loudspeaker"
        around = environment(folder)
        form = f"rate={SAMPLE_RATE} channels=2 format=s16le"
        daemon = await _started(
            (
                *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm"),
                # The socket lies in a folder that only we and the page's browser can reach.
                *("-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"),
                *("-L", f"module-null-sink sink_name={SINK} {form}"),
            ),
            user,
            around,
            None,
        )
        out, into = os.pipe()
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not socket.exists():
                    if daemon.returncode is not None:
                        raise PageTrouble("sound_failed", "PulseAudio ended at once")
                    await asyncio.sleep(0.02)
            recorder = await _started(
                (
                    *("parec", f"--server=unix:{socket}", f"--device={SINK}.monitor", "--raw", "--format=s16le"),
                    *(f"--rate={SAMPLE_RATE}", "--channels=2", f"--latency-msec={LATENCY}"),
                ),
                user,
                around,
                into,
            )
        except (PageTrouble, TimeoutError, asyncio.CancelledError) as error:
            os.close(out)
            await end(daemon)
            if isinstance(error, TimeoutError):
                raise PageTrouble("sound_failed", "PulseAudio could not be started") from None
            raise
        finally:
            os.close(into)
        return cls(f"unix:{socket}", [recorder, daemon], out)

    async def close(self) -> None:
        for process in self.processes:
            await end(process)


async def _started(command: tuple[str, ...], user: User | None, around: dict[str, str], stdout: int | None) -> Process:
    try:
        return await start(
            command, user, around, stdout=asyncio.subprocess.DEVNULL if stdout is None else stdout, dies_by="TERM"
        )
    except FileNotFoundError as error:
        raise PageTrouble("sound_failed", f"there is no sound to be had: {error}", final=True) from None
