"""``wallflower key``: keys that seal secrets, made and changed."""

from __future__ import annotations

import json

from egress.sealing import SealError, new_key
from workers.cli.app import CliError, Exit
from workers.cli.ledger import opened
from workers.keyring import keyring
from workers.ledger.rotation import rotate as rotate_ledger
from workers.settings import load


def new() -> None:
    print(new_key())


def rotate(as_json: bool) -> None:
    settings = load()
    with opened(settings) as ledger:
        try:
            done = rotate_ledger(ledger, keyring(settings))
        except SealError as error:
            raise CliError(Exit.FAILED, str(error)) from None
    if as_json:
        print(json.dumps({"sealed": done.seen, "sealed_anew": done.changed}))
    else:
        print(f"{done.changed} of {done.seen} secrets are sealed anew; the first key opens all of them")
