"""Health and metrics of a whole worker, from its start to its end."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from tests.rig.servers.server import free_port
from tests.workers.conftest import MakeBench, until


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


async def ready(port: int) -> tuple[int, dict[str, Any]]:
    status, body = await asyncio.to_thread(get, port, "/readyz")
    return status, json.loads(body or "{}")


async def metric(port: int, name: str) -> float | None:
    _, body = await asyncio.to_thread(get, port, "/metrics")
    for line in body.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    return None


async def reached(port: int, status: int) -> dict[str, Any]:
    for _ in range(200):
        found, said = await ready(port)
        if found == status:
            return said
        await asyncio.sleep(0.05)
    raise AssertionError(f"/readyz did not become {status}: {said}")


async def test_a_worker_tells_of_itself_from_its_start_to_its_end(bench: MakeBench) -> None:
    port = free_port()
    one = await bench("records", http={"port": port})
    await reached(port, 200)
    assert (await asyncio.to_thread(get, port, "/healthz"))[0] == 200
    egress_id = one.record()
    await one.until_state(egress_id, "active")
    live = 'wallflower_egresses{kind="composite_recording",state="active"}'
    for _ in range(200):
        told = await metric(port, "wallflower_sessions_attended"), await metric(port, live)
        if told == (1.0, 1.0):
            break
        await asyncio.sleep(0.05)
    assert told == (1.0, 1.0)
    used, allowed = await metric(port, "wallflower_cores_used"), await metric(port, "wallflower_cores_allowed")
    assert used is not None and allowed is not None and used > 0 and allowed > 0
    over = 'wallflower_egresses_over_total{kind="composite_recording",state="complete"}'
    before = await metric(port, over) or 0.0
    assert one.worker is not None and one.task is not None
    one.worker.stop(30.0)
    said = await reached(port, 503)
    assert said["reasons"] == ["draining: the worker is ending and takes nothing new"]
    assert (await asyncio.to_thread(get, port, "/healthz"))[0] == 200, "one that drains is not to be killed"
    one.send("stop_recording")
    await one.until_state(egress_id, "complete")
    assert await metric(port, over) in (before + 1, None)
    task = one.task
    await until(task.done, 20.0)
    assert (await ready(port))[0] == 0, "nothing listens any more"
