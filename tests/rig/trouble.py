"""Trouble on the wire, made in user space: loss, delay that reorders, and a dead network, below ICE.

It takes hold of aioice's sockets, so whatever runs in the process on top of them needs no hook of its own: media,
feedback, DTLS and ICE's own checks all suffer alike, in both directions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aioice.ice


@dataclass(frozen=True, slots=True)
class Spell:
    """Bad weather between two moments, in seconds since the trouble was armed."""

    start: float = 0.0
    end: float = float("inf")
    loss: float = 0.0
    """Share of datagrams that never arrive, 0 to 1."""
    jitter: float = 0.0
    """Each datagram is held for a random time up to this, in seconds, and so overtakes others or is overtaken."""
    dead: bool = False
    incoming: bool = True
    outgoing: bool = True


@dataclass(slots=True)
class Trouble:
    """What happens to datagrams. ``spells`` may be exchanged while it runs; the latest one that covers now rules."""

    spells: list[Spell] = field(default_factory=list)
    seed: int = 1
    clock: Callable[[], float] = time.monotonic
    lost: int = 0
    delayed: int = 0
    passed: int = 0
    _started: float = 0.0
    _dice: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._dice = random.Random(self.seed)

    @classmethod
    def read(cls, path: Path) -> Trouble:
        """From a JSON file: ``[{"from": 5, "to": 15, "loss": 0.05, "jitter": 0.05, "dead": false}, …]``.

        ``incoming`` and ``outgoing`` (true) say which direction suffers; ``seed`` of the first entry counts.
        """
        entries: list[dict[str, Any]] = json.loads(path.read_text())
        seed = 1
        spells = []
        for entry in entries:
            seed = entry.pop("seed", seed)
            start, end = entry.pop("from", 0.0), entry.pop("to", float("inf"))
            spells.append(Spell(start, end, **entry))
        return cls(spells, seed)

    def fate(self, incoming: bool) -> float | None:
        """Seconds by which the next datagram is delayed (0 for not at all), or None when it is lost."""
        now = self.clock() - self._started
        spell = next(
            (s for s in reversed(self.spells) if s.start <= now < s.end and (s.incoming if incoming else s.outgoing)),
            None,
        )
        if spell is not None and (spell.dead or self._dice.random() < spell.loss):
            self.lost += 1
            return None
        if spell is None or spell.jitter <= 0:
            self.passed += 1
            return 0.0
        self.delayed += 1
        return self._dice.random() * spell.jitter

    def __str__(self) -> str:
        return f"{self.lost} datagrams lost, {self.delayed} delayed, {self.passed} passed untouched"


def arm(trouble: Trouble) -> Callable[[], None]:
    """Put every aioice socket of this process at its mercy; returns what ends that."""
    protocol: Any = aioice.ice.StunProtocol
    receive, send_data, send_stun = protocol.datagram_received, protocol.send_data, protocol.send_stun

    def later(delay: float, call: Callable[..., None], *arguments: Any) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, call, *arguments)
        else:
            call(*arguments)

    def transmit(self: Any, data: bytes, addr: tuple[str, int]) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(data, addr)

    def troubled_receive(self: Any, data: bytes, addr: tuple[Any, ...]) -> None:
        delay = trouble.fate(incoming=True)
        if delay is not None:
            later(delay, receive, self, data, addr)

    async def troubled_send_data(self: Any, data: bytes, addr: tuple[str, int]) -> None:
        delay = trouble.fate(incoming=False)
        if delay is not None:
            later(delay, transmit, self, data, addr)

    def troubled_send_stun(self: Any, message: Any, addr: tuple[str, int]) -> None:
        delay = trouble.fate(incoming=False)
        if delay is not None:
            later(delay, transmit, self, bytes(message), addr)

    protocol.datagram_received = troubled_receive
    protocol.send_data = troubled_send_data
    protocol.send_stun = troubled_send_stun

    def disarm() -> None:
        protocol.datagram_received, protocol.send_data, protocol.send_stun = receive, send_data, send_stun

    return disarm


def armed_at(path: Path) -> Trouble:
    """Arm the trouble described in a file, and follow the file: when it is written anew, its new spells count.

    The file is looked at four times a second; times in it stay those since the first reading.
    """
    trouble = Trouble.read(path)
    arm(trouble)
    seen = path.stat().st_mtime_ns
    asked = time.monotonic()
    plain = trouble.clock

    def clock() -> float:
        nonlocal seen, asked
        now = plain()
        if now - asked > 0.25:
            asked = now
            changed = path.stat().st_mtime_ns
            # A file caught while it is being written is read at the next look.
            with contextlib.suppress(json.JSONDecodeError):
                if changed != seen:
                    trouble.spells = Trouble.read(path).spells
                    seen = changed
        return now

    trouble.clock = clock
    return trouble
