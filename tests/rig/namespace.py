"""A network namespace for a real server, joined to this host by one pair of virtual interfaces.

ICE leaves loopback addresses out, so a server that guests and attendants shall reach needs an address of another kind.
Making a namespace needs root: :func:`why_not` says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_NAME = re.compile(r"wf-sfu-(\d+)-(\d+)-(\d+)")


def why_not() -> str | None:
    """One line on why no namespace can be made here, or None."""
    if os.geteuid() != 0:
        return "a network namespace for an SFU needs root"
    if shutil.which("ip") is None:
        return "ip is not installed (Debian package iproute2)"
    return None


@dataclass(frozen=True, slots=True)
class Namespace:
    """Two ends of a wire: ``address`` inside, ``host_address`` on this host."""

    number: int
    name: str

    @property
    def address(self) -> str:
        """Where the server is."""
        return f"10.233.{self.number}.2"

    @property
    def host_address(self) -> str:
        """This host's end of the pair: what guests and attendants must offer to ICE."""
        return f"10.233.{self.number}.1"

    @property
    def host_network(self) -> str:
        return f"10.233.{self.number}.0/30"

    @classmethod
    def make(cls) -> Self:
        """Make one, after what dead runs left behind is gone. Raises RuntimeError."""
        _sweep()
        for number in range(1, 255):
            # Making the interface is what claims the number: it fails when somebody else has it.
            made = ip("link", "add", f"wfs{number}", "type", "veth", "peer", "name", f"wfp{number}", check=False)
            if made.returncode == 0:
                break
        else:
            raise RuntimeError("no free address pair in 10.233.0.0/16")
        namespace = cls(number, f"wf-sfu-{number}-{os.getpid()}-{_started(os.getpid())}")
        inside = ["netns", "exec", namespace.name, "ip"]
        try:
            ip("netns", "add", namespace.name)
            ip("link", "set", f"wfp{number}", "netns", namespace.name, "name", "eth0")
            ip(*inside, "addr", "add", f"{namespace.address}/30", "dev", "eth0")
            ip(*inside, "link", "set", "lo", "up")
            ip(*inside, "link", "set", "eth0", "up")
            ip("addr", "add", f"{namespace.host_address}/30", "dev", f"wfs{number}")
            ip("link", "set", f"wfs{number}", "up")
        except BaseException:
            namespace.remove()
            raise
        return namespace

    def command(self, *program: str) -> list[str]:
        """A program's command line, to run inside."""
        return ["ip", "netns", "exec", self.name, *program]

    def remove(self) -> None:
        """Take it away. What runs inside must have ended."""
        ip("netns", "del", self.name, check=False)
        ip("link", "del", f"wfs{self.number}", check=False)


def ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run iproute2's ``ip``. Raises RuntimeError with what it said, unless ``check`` is off."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done


def _started(pid: int) -> int:
    """When a process started, in clock ticks since boot: with the pid it names one run; 0 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])


def _sweep() -> None:
    """Take away what runs of this rig left behind that are no longer alive, their servers included."""
    for line in ip("netns", "list").stdout.splitlines():
        match = _NAME.match(line)
        if match is None:
            continue
        number, pid, started = map(int, match.groups())
        if _started(pid) == started:
            continue
        for left in ip("netns", "pids", match.group(), check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(left), signal.SIGKILL)
        Namespace(number, match.group()).remove()
