"""The page about events: its examples run, its figures are those of the code."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from tests.rig.servers.hooks import HookReceiver, HookRequest
from tests.workers.events.conftest import hook_sink
from workers.events.line import Patience
from workers.events.models import EVENTS
from workers.events.relay import RENEWALS
from workers.events.sinks import Envelope
from workers.events.sinks.attempts import Limits, Outcome
from workers.events.sinks.webhook import LANES
from workers.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs/events.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


async def one_request() -> HookRequest:
    """A real one, with a body that is not plain ASCII."""
    async with HookReceiver(secret="API secret") as hook:
        sink = hook_sink(hook)
        await sink.send(Envelope("id", "a:1", 1, {"type": "call.test", "call_cid": "a:1", "name": "Zoë 雪"}), 0)
        await sink.close()
    return hook.requests[0]


async def test_the_python_example_verifies_what_is_sent() -> None:
    request = await one_request()
    (example,) = blocks("python")
    names: dict[str, object] = {}
    exec(example, names)
    verified = names["verified"]
    assert callable(verified)
    signature = request.headers["x-signature"]
    assert verified(request.body, signature, "API secret") is True
    assert verified(request.body + b" ", signature, "API secret") is False
    assert verified(request.body, signature, "another") is False


async def test_the_node_example_verifies_what_is_sent(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed to run the example"
    request = await one_request()
    (example,) = blocks("javascript")
    (tmp_path / "body").write_bytes(request.body)
    script = tmp_path / "verify.js"
    script.write_text(
        example
        + """
const body = require("node:fs").readFileSync(process.argv[2]);
const signature = process.argv[3];
const all = [
  verified(body, signature, "API secret"),
  verified(Buffer.concat([body, Buffer.from(" ")]), signature, "API secret"),
  verified(body, signature, "another"),
  verified(body, "no", "API secret"),
  verified(body, undefined, "API secret"),
];
console.log(all.join(" "));
"""
    )
    command = [node, str(script), str(tmp_path / "body"), request.headers["x-signature"]]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("true false false false false\n", "")


def test_the_settings_in_the_text_are_settings() -> None:
    first, second = (tomllib.loads(text) for text in blocks("toml"))
    settings = Settings.model_validate({**first, **second})
    assert settings.events.webhooks[0].name == "backend"
    assert settings.guard.allow_private == ["10.20.0.0/16"]


def test_the_figures_are_those_of_the_code() -> None:
    limits, patience, settings = Limits(), Patience(), Settings()
    assert (limits.request, limits.together, limits.pause, limits.longest_retry_after) == (6, 15, 0.25, 300)
    assert [outcome.at_once for outcome in (Outcome.BUSY, Outcome.TIMED_OUT, Outcome.UNREACHABLE)] == [3, 3, 2]
    assert (patience.first, patience.longest, patience.longest_probe, patience.at_least) == (1, 300, 60, 600)
    assert (settings.events.keep_trying, settings.events.keep) == (86_400, 30 * 86_400)
    assert (settings.events.lease, RENEWALS, LANES) == (20, 4, 32)
    for figure in (
        "no answer within 6 s | 3",
        "take 15 s together, 0.25 s",
        "`Retry-After` of up to 300 s",
        "(30 days)",
    ):
        assert figure in PAGE


def test_every_command_and_header_is_named() -> None:
    for name in ("X-WEBHOOK-ID", "X-WEBHOOK-ATTEMPT", "X-API-KEY", "X-SIGNATURE", "events dead", "events replay"):
        assert name in PAGE
    assert all(model.__doc__ for model in EVENTS.values())
