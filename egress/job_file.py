"""Reads the job file of an attendant that is run by hand, opening what is sealed in it.

``connector`` and ``ice`` may each be sealed: ``{"type": "janus", "sealed": "…"}`` with the keys of the worker in the
environment variable ``WALLFLOWER_SECRETS__KEYS``, a JSON list of Fernet keys.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from egress.protocol.job import Job
from egress.protocol.specs import EGRESS_KINDS
from egress.sealing import Keyring, SealError

KEYS = "WALLFLOWER_SECRETS__KEYS"
SEALED = "sealed"
_MAY_BE_SEALED = ("connector", "ice")


class JobFileError(Exception):
    """The job cannot be used. The text is one sentence for people, without anything of what is in the file."""


def read(path: Path) -> Job:
    """The job. Raises JobFileError."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise JobFileError(f"the job file {path} cannot be read: {error}") from None
    try:
        if isinstance(value, dict):
            value = {name: _opened(one) if name in _MAY_BE_SEALED else one for name, one in value.items()}
        return Job.model_validate(value)
    except SealError as error:
        raise JobFileError(f"the job file {path} cannot be used: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # Which of the models of an egress was meant is said by its ``kind``; it is no field.
        where = ".".join(str(part) for part in first["loc"] if part not in EGRESS_KINDS) or "job"
        raise JobFileError(f"the job file {path} is not valid: {where}: {first['msg']}") from None


def sealed(job: Job, keyring: Keyring) -> dict[str, Any]:
    """The job as an object for a file, with nothing in the clear that opens a room or a relay."""
    value: dict[str, Any] = job.model_dump(mode="json", exclude_none=True)
    value["connector"] = {"type": value["connector"]["type"], SEALED: keyring.seal(job.connector)}
    if job.ice.servers:
        value["ice"] = {SEALED: keyring.seal(job.ice.model_dump(mode="json"))}
    return value


def _opened(value: Any) -> Any:
    if not (isinstance(value, dict) and isinstance(value.get(SEALED), str)):
        return value
    rest = {name: one for name, one in value.items() if name != SEALED}
    return {**rest, **_keyring().open(value[SEALED])}


def _keyring() -> Keyring:
    try:
        keys = json.loads(os.environ.get(KEYS, "[]"))
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise SealError(f'{KEYS} must be a JSON list of keys, such as ["…"]')
    if not keys:
        raise SealError(f"something in it is sealed; {KEYS} must hold the worker's keys")
    return Keyring(keys)
