"""Three calls are recorded by a fleet while things are killed at random; then what arrived is counted.

``trial = await Trial.of(folder, kinds, seed)`` runs it: an entry of ``kinds`` (``attendant``, ``worker``, ``broker``,
``database``, ``store``) is one kill -9, and everything but an attendant is started again after half a second to four.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.arrived import Arrived, Span
from tests.rig.fleet import Fleet, Sent
from tests.rig.loopback import LoopbackRoom
from tests.rig.machine import Machine
from tests.rig.product import moment

CALLS = 3
KINDS = ("attendant", "worker", "broker", "database", "store")
LEASE = 10.0
"""Seconds; longer than this machine takes to start a worker and three attendants while it records three calls."""
SETTINGS = {
    "agent__lease": str(LEASE),
    "agent__abandoned": "12",
    "attendants__orphan_timeout": "16",
    # Kills that follow at once on one another find a warm attendant each, and count as the first in a row.
    "attendants__spares": "2",
    "attendants__healthy": "2",
    "recording__roll_over_seconds": "20",
}
EDGE = 1.0
"""Seconds of the first and of the last moments of a recording that may be missing."""
DELAY = 1.0
"""Seconds that composition runs behind live: what an attendant has not composed yet is lost with it."""


@dataclass(slots=True)
class Kill:
    number: int
    kind: str
    which: str
    """The call whose attendant it was, or the worker or server."""
    at: float
    down: float = 0.0
    """Seconds until it was started again."""
    recovered: float = 0.0
    """Seconds until every call was attended again and a message was answered by way of queue, ledger and hook."""
    holes: list[tuple[str, Span]] = field(default_factory=list)
    """Calls, and from when to when nothing of them arrived."""

    @property
    def lost(self) -> float:
        return sum(end - begin for _, (begin, end) in self.holes)


@dataclass(slots=True)
class Trial:
    """What happened, and what came of it."""

    seed: int
    kills: list[Kill]
    arrived: dict[str, Arrived]
    """By egress."""
    spans: dict[str, Span]
    """By egress: from when it was told to have started to when it was asked to stop."""
    sent: list[Sent]
    outbox: list[dict[str, Any]]
    files: list[dict[str, Any]]
    egresses: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    objects: dict[str, int]
    manifests: dict[str, dict[str, Any]]
    """What stands in each, by its key."""
    unfinished_uploads: list[str]
    overlaps: dict[str, float]
    """The longest time for which a call was attended twice at once."""
    spooled: list[Path]
    exits: dict[str, int]
    stop_to_ready: list[float]
    answers: dict[str, int]
    """How many events answered each request."""
    usage: float

    @classmethod
    async def of(cls, folder: Path, kinds: Sequence[str], seed: int, **settings: str) -> Trial:
        async with AsyncExitStack() as stack:
            machine = await stack.enter_async_context(Machine())
            rooms = [await stack.enter_async_context(LoopbackRoom(1, exact=True)) for _ in range(CALLS)]
            fleet = await stack.enter_async_context(Fleet(folder, **{**SETTINGS, **settings}))
            return await _run(fleet, rooms, machine, kinds, seed)

    def table(self) -> str:
        """For people."""
        lines = [
            f"seed {self.seed}; {self.usage:.0%} of the machine used; {len(self.files)} files, "
            f"{len(self.outbox)} events, {self.delivered_again} of them delivered again",
            "no  killed               down  recovered  media lost",
        ]
        lines += [
            f"{k.number:2}  {k.kind + ' ' + k.which if k.which != k.kind else k.kind:20} "
            f"{k.down:4.1f}s {k.recovered:8.1f}s {k.lost:9.2f}s"
            + "".join(f"  ({cid} {begin - k.at:+.2f} to {end - k.at:+.2f})" for cid, (begin, end) in k.holes)
            for k in self.kills
        ]
        lines += [f"{cid}: attended twice at once for {time_:.1f} s at most" for cid, time_ in self.overlaps.items()]
        return "\n".join(lines)

    @property
    def delivered_again(self) -> int:
        """How many events came more than once, because a kill fell between their delivery and its note."""
        return sum(count > 1 for count in Counter(event.id for event in self.sent).values())

    def check(self) -> None:
        """Judge everything. What is wrong is told together."""
        wrong: list[str] = []
        positions = {row["id"]: (row["call_cid"], row["position"]) for row in self.outbox}
        first = list(dict.fromkeys(event.id for event in self.sent))
        wrong += [
            f"event {row['type']} of {row['call_cid']} did not arrive" for row in self.outbox if row["id"] not in first
        ]
        wrong += [f"event {id_} came, but is not in the ledger" for id_ in first if id_ not in positions]
        last: dict[str, int] = {}
        for cid, position in (positions[id_] for id_ in first if id_ in positions):
            if position <= last.get(cid, 0):
                wrong.append(f"event {position} of {cid} came after event {last[cid]}")
            last[cid] = position
        wrong += [f"{letter['event_id']} is a dead letter: {letter['error']}" for letter in self.dead_letters]
        wrong += [f"{request} was answered {count} times" for request, count in self.answers.items() if count != 1]
        wrong += self._wrong_files()
        wrong += self._wrong_media()
        wrong += [f"{path} is left in a spool" for path in self.spooled]
        wrong += [f"{name} exited with {code}" for name, code in self.exits.items() if code != 0]
        assert not wrong, "\n".join(wrong) + "\n" + self.table()

    def _wrong_files(self) -> list[str]:
        wrong = [f"{e['id']} is {e['state']}: {e['error']}" for e in self.egresses if e["state"] != "complete"]
        ready = Counter(
            e.payload["call_recording"]["url"] for e in self._first() if e.payload["type"].endswith("_ready")
        )
        told = Counter(f["url"] for f in self.files if f["state"] == "delivered")
        wrong += [f"{url} was told {ready[url]} times" for url in set(told) | set(ready) if ready[url] != 1]
        wrong += [f"{url} is {count} files" for url, count in told.items() if count != 1]
        wrong += [f"{url} was told and is no file" for url in set(ready) - set(told)]
        kept = {f["key"]: f["size"] for f in self.files if f["state"] == "delivered"}
        wrong += [
            f"{key}: {self.objects.get(key)} bytes stored, not {size}"
            for key, size in kept.items()
            if self.objects.get(key) != size
        ]
        wrong += [f"{key} is stored, and no file" for key in set(self.objects) - set(kept) - set(self.manifests)]
        wrong += self._wrong_manifests()
        wrong += [
            f"part {f['part']} of {f['egress_id']} is {f['state']}: {f['error']}"
            for f in self.files
            if f["state"] not in ("delivered", "dropped")
        ]
        wrong += [f"the upload of {key} was left unfinished" for key in self.unfinished_uploads]
        return wrong

    def _wrong_manifests(self) -> list[str]:
        """A manifest names the files of its egress, and the times that none of them shows."""
        told = {manifest["egress_id"]: manifest for manifest in self.manifests.values()}
        wrong = [f"{e['id']} has no manifest" for e in self.egresses if e["id"] not in told]
        for egress_id, manifest in told.items():
            files = [f for f in self.files if f["egress_id"] == egress_id]
            there = sorted((f["key"], f["size"]) for f in files if f["state"] == "delivered")
            if there != sorted((f["key"], f["size"]) for f in manifest["files"]):
                wrong.append(f"the manifest of {egress_id} names other files than there are")
            if sum(f["state"] == "dropped" for f in files) != len(manifest["lost"]):
                wrong.append(f"the manifest of {egress_id} tells of {len(manifest['lost'])} lost files")
            gaps = [(moment(gap["start_time"]), moment(gap["end_time"])) for gap in manifest["gaps"]]
            spans = [(f["start_time"].timestamp(), f["end_time"].timestamp()) for f in files if f["end_time"]]
            for begin, end in (hole for kill in self.kills for cid, hole in kill.holes if cid == _cid(egress_id)):
                # What a machine that was full left out inside a file is no gap between files.
                inside = end - begin < 1.0 or any(start < begin and end < stop for start, stop in spans)
                if not inside and not any(start <= end and begin <= stop for start, stop in gaps):
                    wrong.append(f"the manifest of {egress_id} does not tell of the gap from {begin:.2f} to {end:.2f}")
        return wrong

    def _wrong_media(self) -> list[str]:
        wrong = []
        for kill in self.kills:
            for cid, (begin, end) in kill.holes:
                # One that is killed before its first pictures are on the disk lets two holes become one.
                causes = sum(k.which == cid and begin - 1.0 <= k.at <= end + 1.0 for k in self.kills)
                allowed = causes * (3.0 + DELAY)
                if end - begin > allowed:
                    what = f"kill {kill.number} ({kill.kind})"
                    wrong.append(f"{what} lost {end - begin:.2f} s of {cid}, not {allowed:g} at most")
        for name, arrived in self.arrived.items():
            begin, end = self.spans[name]
            if arrived.begin > begin + EDGE or arrived.end < end - EDGE:
                wrong.append(
                    f"{name}: what arrived begins {arrived.begin - begin:+.2f} s after its start and ends "
                    f"{arrived.end - end:+.2f} s after its stop"
                )
            holes = [hole for kill in self.kills for cid, hole in kill.holes if cid == _cid(name)]
            inside = [
                s for s in arrived.missing_marks() if not any(begin - 0.3 <= s <= end + 0.3 for begin, end in holes)
            ]
            wrong += [f"{name}: second {s - arrived.begin:.1f} has no flash or no beep" for s in inside]
            wrong += [f"{name}: a file is {b:+.2f} s off the clock" for b in arrived.behind if not -0.05 < b < 0.2]
        wrong += [f"{cid} was attended twice at once for {t:.1f} s" for cid, t in self.overlaps.items() if t > LEASE]
        return wrong

    def _first(self) -> list[Sent]:
        return list({event.id: event for event in reversed(self.sent)}.values())


def _cid(egress_id: str) -> str:
    return f"default:{egress_id}"


async def _run(fleet: Fleet, rooms: list[LoopbackRoom], machine: Machine, kinds: Sequence[str], seed: int) -> Trial:
    dice = random.Random(seed)
    names = [f"call-{number + 1}" for number in range(len(rooms))]
    begins = {}
    for name, room in zip(names, rooms, strict=True):
        await fleet.record(_cid(name), room.url, name)
        begins[name] = moment((await fleet.event("call.recording_started", _cid(name)))["created_at"])
    requests: list[str] = []
    kills: list[Kill] = []
    await fleet.until(fleet.rested, 60.0, "no attendant waits before the first kill", every=0.2)
    await asyncio.sleep(2.0)
    for number, kind in enumerate(kinds, 1):
        kills.append(await _kill(fleet, names, number, kind, dice, requests))
        print(f"kill {number}: {kind} {kills[-1].which}, well after {kills[-1].recovered:.1f} s", flush=True)
        await asyncio.sleep(dice.uniform(1.0, 3.0))
    await asyncio.sleep(2.0)
    spans, stops = {}, []
    for name in names:
        spans[name] = (begins[name], time.time())
        stops.append(await fleet.stop(_cid(name), name, timeout=60.0))
    await fleet.until(fleet.settled, 30.0, "files or events are left")
    outbox = await fleet.rows("SELECT id, call_cid, position, type FROM outbox ORDER BY seq")
    arrived = {name: await fleet.arrived(name) for name in names}
    _attribute(kills, {_cid(name): _lost(found, machine) for name, found in arrived.items()})
    files, egresses = await fleet.files(), await fleet.rows("SELECT id, state, error FROM egresses")
    letters = await fleet.rows("SELECT event_id, error FROM dead_letters")
    answered = Counter(e["request_id"] for e in fleet.events("egress.request_answered"))
    with contextlib.suppress(AssertionError):  # what is left is told with everything else
        await fleet.until(lambda: not fleet.spooled(), 10.0, "the spool is not empty")
    trial = Trial(
        seed=seed,
        kills=kills,
        arrived=arrived,
        spans=spans,
        sent=fleet.sent(),
        outbox=outbox,
        files=files,
        egresses=egresses,
        dead_letters=letters,
        objects=await fleet.objects(),
        manifests=await fleet.manifests(),
        unfinished_uploads=await fleet.unfinished_uploads(),
        overlaps={_cid(name): room.overlap() for name, room in zip(names, rooms, strict=True)},
        spooled=fleet.spooled(),
        exits={name: await worker.end() for name, worker in fleet.workers.items()},
        stop_to_ready=stops,
        answers={request: answered[request] for request in requests},
        usage=machine.usage(),
    )
    print(trial.table(), flush=True)
    return trial


async def _kill(
    fleet: Fleet, names: list[str], number: int, kind: str, dice: random.Random, requests: list[str]
) -> Kill:
    """One kill, and the way back from it."""
    if kind == "attendant":
        which = _cid(dice.choice(names))
        kill = Kill(number, kind, which, time.time())
        assert await fleet.kill_attendant(which) is not None, f"{which} was not attended\n{fleet.state()}\n{fleet.log}"
    else:
        which = dice.choice(sorted(fleet.workers)) if kind == "worker" else kind
        kill = Kill(number, kind, which, time.time())
        await fleet.kill(which)
        await asyncio.sleep(dice.uniform(0.5, 4.0))
        await fleet.start(which)
        kill.down = time.time() - kill.at
    requests.append(f"probe-{number}")
    await fleet.probe(requests[-1])

    async def well() -> bool:
        answered = any(e["request_id"] == requests[-1] for e in fleet.events("egress.request_answered"))
        if not answered or (kind == "worker" and not await fleet.back(which)):
            return False
        return all([await fleet.held(_cid(name)) for name in names])

    await fleet.until(well, 90.0, f"all is not well after kill {number} ({kind} {which})", every=0.2)
    kill.recovered = time.time() - kill.at
    # What one kill costs is to be seen, not what two at once do.
    await fleet.until(fleet.rested, 60.0, f"no attendant waits after kill {number} ({kind} {which})", every=0.2)
    return kill


def _lost(arrived: Arrived, machine: Machine) -> list[Span]:
    """Holes, but for pictures that a full machine had no time to compose while it had the sound."""
    return [
        (begin, end)
        for begin, end in arrived.holes()
        if end - begin > 1.0
        or not arrived.heard_through((begin, end))
        or not machine.was_full(begin + DELAY / 2, end + 2 * DELAY)
    ]


def _attribute(kills: list[Kill], holes: dict[str, list[Span]]) -> None:
    """Each hole belongs to the kill of its call's attendant that it is around, else to the last kill before its end."""
    for cid, spans in holes.items():
        for begin, end in spans:
            own = [k for k in kills if k.which == cid and begin - 1.0 <= k.at <= end + 1.0]
            before = [k for k in kills if k.at <= end + 0.5] or kills[:1]
            (own or before)[-1].holes.append((cid, (begin, end)))
