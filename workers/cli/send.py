"""``wallflower send``: a message from a file, standard input or the command line, onto the queue."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from pathlib import Path
from typing import Any

from workers.cli.app import CliError, Exit
from workers.cli.ledger import opened
from workers.messages import MESSAGES, parse
from workers.payload import BadMessage, decode, shown
from workers.settings import Settings, load


def run(source: str | None, text: str | None, type_: str | None) -> None:
    logging.getLogger("workers").setLevel(logging.ERROR)  # a refusal is told as this command's error
    message_type, payload = read(source, text, type_)
    print(json.dumps(send(load(), message_type, payload)))


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
    given = payload.pop("type", None)
    message_type = given if given is not None else type_
    if not isinstance(message_type, str) or message_type not in MESSAGES:
        what = "is missing" if message_type is None else f"'{shown(str(message_type))}' is no message"
        raise BadMessage(f"type: {what}; known are {', '.join(MESSAGES)}")
    return message_type, payload


def send(settings: Settings, message_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Send it. Without a broker the message is carried out here, and the worker sees the wish in the ledger."""
    from workers.broker import connect, embedded
    from workers.broker import send as enqueue

    if not embedded(settings):
        parse(message_type, payload)  # what the worker would refuse is refused at once
        broker = connect(settings)
        try:
            message_id = enqueue(broker, settings.broker.queue, message_type, payload)
        finally:
            broker.close()
        return {"message_id": message_id, "queued": True}
    from workers.carry_out import carry_out

    message_id = str(uuid.uuid4())
    with opened(settings) as ledger:
        outcome = carry_out(ledger, settings, message_type, payload, message_id)
    if message_type == "stop_recording" and not outcome.egress_ids:
        raise CliError(Exit.NOT_FOUND, f"nothing of {payload['call_cid']} is left to stop")
    return {"message_id": message_id, "egress_ids": outcome.egress_ids, "created": outcome.created}
