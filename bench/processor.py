"""What processes cost, read from /proc: processor seconds, threads, peak memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def peak_memory(pid: int) -> int:
    """Bytes resident at the most (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} tells no peak memory")


def machine_busy() -> float:
    """Processor seconds that the machine has been busy."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICK


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Processor seconds of some processes, and of the whole machine, at one moment."""

    mine: dict[str, float]
    machine: float

    @classmethod
    def take(cls, pids: dict[str, int]) -> Snapshot:
        return cls({name: cpu_seconds(pid) for name, pid in pids.items()}, machine_busy())

    def cores_since(self, earlier: Snapshot, seconds: float) -> dict[str, float]:
        """Cores used per process between the two, and by everything else (``others``)."""
        cores = {name: (used - earlier.mine[name]) / seconds for name, used in self.mine.items()}
        cores["others"] = max(0.0, (self.machine - earlier.machine) / seconds - sum(cores.values()))
        return cores
