"""Has pictures unpacked by a process of their own, which is there while there is something to unpack."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from typing import Any

import numpy as np
import skia

from egress.images.decoding import ImageRefused

PATIENCE = 10.0
"""Seconds that one picture may take, the start of the process included."""
IDLE = 20.0
"""Seconds without a picture after which the process ends."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL")


class Decoder:
    """One process at most, one picture at a time. Event loop only."""

    def __init__(self, patience: float = PATIENCE, idle: float = IDLE) -> None:
        self._patience = patience
        self._idle = idle
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._going: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    async def decode(self, content: bytes, side: int) -> Any:
        """The picture (skia.Image). Raises ImageRefused, also when it took the process with it."""
        async with self._turn:
            if self._going is not None:
                self._going.cancel()
            try:
                async with asyncio.timeout(self._patience):
                    return await self._ask(content, side)
            except TimeoutError:
                await self._end()
                raise ImageRefused(f"it takes more than {self._patience:g} s to unpack") from None
            except (OSError, asyncio.IncompleteReadError):
                await self._end()
                raise ImageRefused("it cannot be unpacked: the decoder broke down over it") from None
            except asyncio.CancelledError:
                # What is left in the pipe would be taken for the answer to the next question.
                await asyncio.shield(self._end())
                raise
            finally:
                if self._process is not None:
                    self._going = asyncio.create_task(self._end_later())

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            if self._going is not None:
                self._going.cancel()
            await self._end()

    async def _ask(self, content: bytes, side: int) -> Any:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "egress.images.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                limit=2**20,
                start_new_session=True,
            )
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None
        to.write(struct.pack(">II", side, len(content)) + content)
        await to.drain()
        if (await back.readexactly(1))[0] == 0:
            (length,) = struct.unpack(">I", await back.readexactly(4))
            raise ImageRefused((await back.readexactly(length)).decode())
        width, height = struct.unpack(">II", await back.readexactly(8))
        pixels = np.frombuffer(await back.readexactly(width * height * 4), np.uint8).reshape(height, width, 4)
        return skia.Image.fromarray(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType)

    async def _end_later(self) -> None:
        await asyncio.sleep(self._idle)
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
