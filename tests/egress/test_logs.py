"""Logs: what a line is about, in both formats, and what never stands in one."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime
from typing import Literal

import jwt
import pytest
from pydantic import BaseModel, SecretStr

from egress import logs
from egress.sealing import Keyring, new_key

log = logging.getLogger("test.logs")

Format = Literal["text", "json"]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_SECRETS", {})
    monkeypatch.setattr(logs, "_ALWAYS", {})
    monkeypatch.setattr(logs, "_pattern", None)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(format: Format) -> io.StringIO:
    out = io.StringIO()
    logs.configure(logging.INFO, format, out)
    return out


def test_a_json_line_tells_when_what_who_and_about_what() -> None:
    out = configured("json")
    with logs.about(call_cid="default:abc", egress_id="e1"):
        log.warning("no %s", "tea")
    log.info("done")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    assert first.pop("pid") > 0
    assert first == {
        "level": "warning",
        "logger": "test.logs",
        "message": "no tea",
        "call_cid": "default:abc",
        "egress_id": "e1",
    }
    assert "call_cid" not in second


def test_a_json_line_is_one_line_whatever_went_wrong() -> None:
    out = configured("json")
    try:
        raise ValueError("two\nlines — ünd mehr")
    except ValueError:
        log.exception("it broke")
    (line,) = out.getvalue().splitlines()
    told = json.loads(line)
    assert "Traceback" in told["exception"] and "ValueError: two\nlines — ünd mehr" in told["exception"]


def test_a_text_line_adds_what_its_message_does_not_say() -> None:
    out = configured("text")
    with logs.about(call_cid="default:abc", egress_id="e1"):
        log.info("default:abc is recorded")
    assert out.getvalue().rstrip().endswith("INFO test.logs: default:abc is recorded [egress_id=e1]")


async def test_tasks_inherit_what_they_are_about_and_do_not_share_it() -> None:
    out = configured("json")

    async def work() -> None:
        await asyncio.sleep(0)
        log.info("working")

    with logs.about(call_cid="a:1"):
        one = asyncio.create_task(work())
    with logs.about(call_cid="a:2"):
        two = asyncio.create_task(work())
    await asyncio.gather(one, two, work())
    cids = [json.loads(line).get("call_cid") for line in out.getvalue().splitlines()]
    assert sorted(cids, key=str) == [None, "a:1", "a:2"]


def test_threads_know_what_the_process_is_about_and_what_they_were_given() -> None:
    out = configured("json")
    logs.always_about(call_cid="a:1")
    with logs.about(egress_id="e1"):
        thread = threading.Thread(target=copy_context().run, args=(log.info, "writing"))
    thread.start()
    thread.join()
    told = json.loads(out.getvalue())
    assert (told["call_cid"], told["egress_id"]) == ("a:1", "e1")


@pytest.mark.parametrize("format", logs.FORMATS)
def test_no_secret_stands_in_a_line(format: Format) -> None:
    out = configured(format)
    logs.hide(["open sesame", 'a"comma', "abcd", "abcdef", "no"])
    token = Keyring([new_key()]).seal({"pin": "open sesame"})
    log.info("it is open sesame, or open%%20sesame in a URL; abcdef; no tea")
    log.info("quoted: %s", json.dumps({"secret": 'a"comma'}))
    log.info("sealed: %s", token)
    log.info("redis://user:hush%2Fhush@host:6379/0 and amqp://:hushtoo@host/ and https://host/path:with@at")
    try:
        raise OSError("open sesame")
    except OSError:
        log.exception("failed")
    said = out.getvalue()
    for secret in ("open sesame", "open%20sesame", "comma", "abcd", "ef;", token[:20], "hush"):
        assert secret not in said
    assert "no tea" in said, "what is too short to tell apart stays"
    assert "redis://user:***@host:6379/0" in said
    assert "https://host/path:with@at" in said


def test_no_access_token_stands_in_a_line() -> None:
    out = configured("text")
    token = jwt.encode({"iss": "APIkey", "video": {"room": "a"}}, "a secret of at least 32 characters", "HS256")
    log.info("GET ws://10.0.0.1:7880/rtc?access_token=%s&protocol=15", token)
    log.info("invalid token: %s, error: token is expired", token)
    assert token.split(".")[1] not in out.getvalue() and token.split(".")[2] not in out.getvalue()
    assert "access_token=***&protocol=15" in out.getvalue()


def test_what_to_hide_is_found_in_models_and_by_names() -> None:
    class Inner(BaseModel):
        key: SecretStr = SecretStr("one")

    class Outer(BaseModel):
        inners: list[Inner] = [Inner()]
        named: dict[str, SecretStr | None] = {"a": SecretStr("two"), "b": None}
        plain: str = "plain"

    assert sorted(logs.secrets_in(Outer())) == ["one", "two"]
    address = {"type": "janus", "room": 1, "pin": "three", "more": [{"apisecret": "four", "url": "http://x"}]}
    assert sorted(logs.telling_in(address)) == ["four", "three"]
    livekit = {"api_key": "five", "api_secret": "six", "roles_key": "function", "topic": "seven"}
    assert sorted(logs.telling_in(livekit)) == ["five", "six"]


def test_what_is_hidden_is_bounded_and_the_latest_stays() -> None:
    logs.hide(f"secret-{number:06}" for number in range(2 * logs.MOST_SECRETS))
    assert logs.clean(f"secret-{2 * logs.MOST_SECRETS - 1:06}") == "***"
    assert logs.clean("secret-000000") == "secret-000000"
