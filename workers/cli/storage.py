"""``wallflower storage``: which stores there are, and whether files can be written there."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from storage.target import StorageError
from workers.cli.app import CliError, Exit
from workers.settings import Settings, load
from workers.settings.stores import LOCAL
from workers.uploads.stores import targets


def list_(as_json: bool) -> None:
    settings = load()
    found = _stores(settings)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table(Column("name", no_wrap=True), "type", Column("where", no_wrap=True, overflow="ignore"), "", box=None)
    for store in found:
        table.add_row(store["name"], store["storage_type"], store["where"], "default" if store["default"] else "")
    (Console() if sys.stdout.isatty() else Console(width=200)).print(table)


def check(name: str | None, as_json: bool) -> None:
    """Write a small file as a recording would be written; each time a new one."""
    settings = load()
    stores = targets(settings)
    chosen = name or settings.storage.default
    if chosen not in stores:
        raise CliError(Exit.NOT_FOUND, f"there is no store {chosen!r}; known are {', '.join(stores)}")
    try:
        url = stores[chosen].check()
    except StorageError as error:
        if not as_json:
            raise CliError(Exit.FAILED, str(error)) from None
        print(json.dumps({"name": chosen, "ok": False, "error": str(error)}))
        raise SystemExit(Exit.FAILED) from None
    if as_json:
        print(json.dumps({"name": chosen, "ok": True, "url": url}))
    elif chosen == LOCAL:
        print(f"store {chosen}: files can be written to {settings.recordings}")
    else:
        print(f"store {chosen}: files can be written; {url} was")


def _stores(settings: Settings) -> list[dict[str, Any]]:
    """Without keys."""
    default = settings.storage.default
    found: list[dict[str, Any]] = [
        {
            "name": LOCAL,
            "storage_type": LOCAL,
            "where": str(settings.recordings),
            "credentials": "none",
            "default": default == LOCAL,
        }
    ]
    for store in settings.stores:
        endpoint = store.aws_s3.s3_custom_endpoint_url
        where = "/".join(filter(None, (store.bucket, store.path.strip("/"))))
        found.append(
            {
                "name": store.name,
                "storage_type": store.storage_type,
                "where": f"{where} at {endpoint}" if endpoint else f"{where} in {store.aws_s3.s3_region}",
                "credentials": "keys" if store.aws_s3.s3_api_key else "role",
                "default": default == store.name,
            }
        )
    return found
