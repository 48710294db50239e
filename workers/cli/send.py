"""``wallflower send``: a message from a file, standard input or the command line, onto the queue."""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from workers.cli.app import CliError, Exit
from workers.messages import MESSAGES, named, parse
from workers.payload import decode
from workers.refused import BadMessage, Refused
from workers.settings import Settings, load


def run(source: str | None, text: str | None, type_: str | None, wait: bool, timeout: float) -> None:
    logging.getLogger("workers").setLevel(logging.ERROR)  # a refusal is told as this command's error
    message_type, payload = read(source, text, type_)
    settings = load()
    if not wait:
        print(json.dumps(send(settings, message_type, payload)))
        return
    if payload.get("request_id") is None:
        payload["request_id"] = str(uuid.uuid4())
    answer = send_and_wait(settings, message_type, payload, timeout)
    print(json.dumps(answer))
    if not answer["ok"]:
        raise CliError(Exit.FAILED, answer["error"]["message"])


def read(source: str | None, text: str | None, type_: str | None) -> tuple[str, dict[str, Any]]:
    """The message's type and payload. Raises BadMessage or CliError."""
    if (source is None) == (text is None):
        raise CliError(Exit.BAD_INPUT, "give the message as a file, as - for standard input, or with --json")
    raw: str | bytes
    if text is not None:
        raw = text
    elif source == "-":
        raw = sys.stdin.buffer.read()
    else:
        try:
            raw = Path(str(source)).read_bytes()
        except OSError as error:
            raise CliError(Exit.BAD_INPUT, f"{source} cannot be read: {error.strerror}") from None
    payload = decode(raw)
    given = payload.get("type", type_)
    if given is None:
        raise BadMessage(f"type: is missing; known are {', '.join(MESSAGES)}")
    message_type = named(given)
    if given == message_type:
        payload.pop("type", None)  # an event of the hosted platform keeps its own
    return message_type, payload


def send(settings: Settings, message_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Send it. Without a broker the message is carried out here, and the worker sees the wish in the ledger."""
    from workers.broker import connect, embedded
    from workers.broker import send as enqueue

    message_id = str(uuid.uuid4())
    if not embedded(settings):
        parse(message_type, payload)  # what the worker would refuse is refused at once
        broker = connect(settings)
        try:
            message_id = enqueue(broker, settings.broker.queue, message_type, _sealed(settings, payload))
        finally:
            broker.close()
        return {"message_id": message_id, "queued": True}
    from workers.carry_out import carry_out
    from workers.cli.ledger import opened

    with opened(settings) as ledger:
        outcome = carry_out(ledger, settings, message_type, payload, message_id)
    told: dict[str, Any] = {"message_id": message_id, "egress_ids": outcome.egress_ids, "created": outcome.created}
    if outcome.changed is not None:
        told["changed"] = outcome.changed
    return told


def send_and_wait(settings: Settings, message_type: str, payload: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Send it and return the answer, an event. Raises CliError when none comes in that many seconds."""
    from workers.broker import embedded
    from workers.carry_out.answers import answer_id, given
    from workers.cli.ledger import opened

    try:
        send(settings, message_type, payload)
    except BadMessage:
        raise
    except Refused:
        if not embedded(settings):
            raise
    event_id = answer_id(message_type, payload.get("call_cid"), payload["request_id"])
    deadline = time.monotonic() + timeout
    with opened(settings) as ledger:
        while True:
            with ledger.reading() as tx:
                answer = given(tx, event_id)
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                raise CliError(Exit.UNAVAILABLE, f"no answer within {timeout:g} s; the message stays on the queue")
            time.sleep(0.05)


def _sealed(settings: Settings, payload: dict[str, Any]) -> dict[str, Any]:
    """With keys that all hosts have, the secrets of a room do not lie on the queue in clear text."""
    address = payload.get("connector")
    if not settings.secrets.keys or not isinstance(address, dict):
        return payload
    from workers.calls.addresses import sealed
    from workers.keyring import keyring

    return {**payload, "connector": sealed(address, keyring(settings))}
