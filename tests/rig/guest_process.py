"""The process that guests live in: ``python -m tests.rig.guest_process spec.json``.

It is apart from the tests so that nothing they do makes a guest late. Commands come as JSON lines on stdin
(``{"id": 1, "guest": "ana", "do": "mute", ...}``), what happened goes out as JSON lines on stdout. A spec may hold a
``timeline`` of the same commands with ``at``, seconds after the start. Specs are made by :mod:`tests.rig.guests`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import aioice.ice

from tests.rig.guest import Guest
from tests.rig.guests import Call, spec_of
from tests.rig.janus_guest import JanusGuest
from tests.rig.livekit_guest import LivekitGuest

_KINDS: dict[str, type[Guest]] = {"janus": JanusGuest, "livekit": LivekitGuest}


class _Process:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._guests = {spec.user_id: _KINDS[call.kind](call, spec, self._say) for spec in call.guests}
        # All in one second, so that who speaks in turns of several seconds begins them with everybody else.
        started = max((guest.started for guest in self._guests.values()), default=0)
        for guest in self._guests.values():
            guest.started = started
        self._running: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    def _say(self, guest: str, event: str, details: dict[str, Any]) -> None:
        told = {"at": time.monotonic() + self._call.epoch, "guest": guest, "event": event, **details}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    async def _carry_out(self, command: dict[str, Any]) -> None:
        number, guest, action = command.pop("id", None), command.pop("guest", ""), command.pop("do")
        error = None
        try:
            if action == "end":
                self._over.set()
            else:
                await getattr(self._guests[guest], action)(**command)
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        self._say(guest, "done", {"id": number, "do": action, "error": error})

    def _begin(self, command: dict[str, Any]) -> None:
        task = asyncio.create_task(self._carry_out(command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _follow(self, timeline: list[dict[str, Any]]) -> None:
        started = time.monotonic()
        for entry in sorted(timeline, key=lambda e: float(e["at"])):
            command = dict(entry)
            await asyncio.sleep(max(0.0, started + command.pop("at") - time.monotonic()))
            self._begin(command)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

        async def listen() -> None:
            while line := await reader.readline():
                self._begin(json.loads(line))
            # The tests are gone.
            self._over.set()

        started, used = time.monotonic(), time.process_time()
        self._say("", "ready", {"pid": os.getpid()})
        tasks = [asyncio.create_task(listen()), asyncio.create_task(self._follow(self._call.timeline))]
        await self._over.wait()
        for guest in self._guests.values():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(guest.leave(), 3)
        for task in [*tasks, *self._running]:
            task.cancel()
        await asyncio.gather(*tasks, *self._running, return_exceptions=True)
        wall, cpu = time.monotonic() - started, time.process_time() - used
        summary = {
            "wall": wall,
            "cpu": cpu,
            "cores": round(cpu / wall, 3),
            "guests": {name: guest.summary() for name, guest in self._guests.items()},
        }
        self._say("", "summary", summary)


def main() -> None:
    stored = json.loads(Path(sys.argv[1]).read_text())
    call = Call(**{**stored, "guests": [spec_of(spec) for spec in stored["guests"]]})
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [call.host_address]
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    process_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(process_loop)

    async def run() -> None:
        process = _Process(call)
        # A collection of everything takes tens of milliseconds, in which nothing would be sent.
        gc.collect()
        gc.freeze()
        gc.disable()
        await process.run()

    process_loop.run_until_complete(run())


if __name__ == "__main__":
    main()
