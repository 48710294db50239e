"""Finds out what can be played of a file whose writer died: ``python -m workers.probe PATH`` prints JSON.

Runs in a process of its own, because a damaged file may take a demuxer down with it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import av


def probe(path: str) -> dict[str, Any]:
    """``duration`` in seconds over all streams, and ``video`` and ``audio`` packet counts; zeroes if unplayable."""
    begin, end = float("inf"), float("-inf")
    counts = {"video": 0, "audio": 0}
    try:
        with av.open(path) as container:
            for packet in container.demux():
                kind = packet.stream.type
                if packet.pts is None or kind not in counts:
                    continue
                counts[kind] += 1
                base = float(packet.time_base)
                begin = min(begin, packet.pts * base)
                end = max(end, (packet.pts + (packet.duration or 0)) * base)
    except (av.FFmpegError, OSError, ValueError):
        pass  # what was read before the damage is what can be played
    return {"duration": max(0.0, end - max(begin, 0.0)) if sum(counts.values()) else 0.0, **counts}


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1])))
