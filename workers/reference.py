"""Writes what the documentation has from the code: ``python -m workers.reference``.

These are the reference of messages, events and settings, from their models, and tables in pages that are written by
hand. ``--check`` writes nothing and exits with 1 when a page is not up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layouts import option_page
from workers.abilities import table
from workers.schemas import events, messages, settings

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "reference"
_NOTE = "<!-- Made by `python -m workers.reference` from the models. Edits belong there. -->"

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    found = settings()
    return {
        "messages.md": _page(
            "Messages",
            "Every message with its fields. How messages are sent is in [messages.md](../messages.md).",
            messages(),
        ),
        "events.md": _page(
            "Events", "Every event with its fields. How events come is in [events.md](../events.md).", events()
        ),
        "settings.md": _page(
            "Settings",
            "Settings of a worker, by TOML file or `WALLFLOWER_…` variables ([operations.md](../operations.md)), and "
            "settings of calls, by call type or message ([messages.md](../messages.md)).",
            {"Settings of a worker": found["worker"], "Settings of a call": found["call"]},
        ),
    }


def tables() -> dict[str, str]:
    """The text of each page by hand that has a table made from the code, by its file name."""
    made = {"connectors.md": table(), "layouts.md": option_page.table()}
    return {name: _with_table((DOCS / name).read_text(), text) for name, text in made.items()}


def _with_table(page: str, made: str) -> str:
    begin, end = (f"<!-- {word} of what `python -m workers.reference` makes -->" for word in ("Begin", "End"))
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{made}\n{end}{after}"


def _page(title: str, about: str, schemas: Mapping[str, Schema]) -> str:
    lines = [f"# {title}", "", _NOTE, "", about, ""]
    shared: dict[str, Schema] = {}
    for name, whole in schemas.items():
        schema = _with_choices(whole, whole.get("$defs", {}))
        shared |= schema.get("$defs", {})
        heading = f"`{name}`" if " " not in name else name
        lines += [f"## {heading}", "", *_described(schema), *_table(schema)]
    named = {name: found for name, found in shared.items() if found.get("properties")}
    if named:
        lines += ["## Objects inside them", ""]
    for name, found in sorted(named.items()):
        lines += [f"### {name}", "", *_described(found), *_table(found)]
    return "\n".join(lines).rstrip() + "\n"


def _with_choices(schema: Any, defs: Mapping[str, Any]) -> Any:
    """The schema with the values of an enumeration where its name was."""
    if isinstance(schema, list):
        return [_with_choices(part, defs) for part in schema]
    if not isinstance(schema, dict):
        return schema
    target = defs.get(str(schema.get("$ref", "")).rpartition("/")[2], {})
    if "enum" in target:
        return {**{k: v for k, v in schema.items() if k != "$ref"}, "enum": target["enum"]}
    return {name: _with_choices(part, defs) for name, part in schema.items()}


def _described(schema: Schema) -> Iterator[str]:
    if text := schema.get("description"):
        yield _plain(text)
        yield ""


def _table(schema: Schema) -> Iterator[str]:
    yield "| field | type | default | |"
    yield "| --- | --- | --- | --- |"
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _default(field)
        yield f"| `{name}` | {_type(field)} | {default} | {_plain(field.get('description', ''))} |"
    yield ""


def _default(field: Schema) -> str:
    value: Any = field.get("default")
    # The fields of an object have their defaults where they are described; secrets hide theirs.
    if "default" not in field or "const" in field or "$ref" in field or field.get("format") == "password":
        return ""
    if field.get("uniqueItems"):
        value = sorted(value)  # a set has no order of its own
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(field: Schema) -> str:
    if "$ref" in field:
        return _link(field["$ref"])
    if "allOf" in field and len(field["allOf"]) == 1:
        return _type(field["allOf"][0])
    for several in ("anyOf", "oneOf"):
        if several in field:
            return " or ".join(dict.fromkeys(_type(part) for part in field[several]))
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}{_limits(field)}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'])}"
    if field.get("format") == "password":
        return "secret"
    if field.get("format") in ("date-time", "path"):
        return {"date-time": "time", "path": "path"}[field["format"]]
    return f"{kind}{_limits(field)}"


def _limits(field: Schema) -> str:
    told = []
    for name, text in (
        ("minimum", "≥ {}"),
        ("exclusiveMinimum", "> {}"),
        ("maximum", "≤ {}"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
        ("minItems", "at least {}"),
        ("maxItems", "at most {}"),
        ("pattern", "`{}`"),
    ):
        if name in field:
            told.append(text.format(str(field[name]).replace("|", "\\|")))
    return f" ({', '.join(told)})" if told else ""


def _link(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def main() -> int:
    stale = []
    made = {FOLDER / name: text for name, text in pages().items()} | {DOCS / n: text for n, text in tables().items()}
    for path, text in made.items():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if stale:
        print(f"{'not up to date' if '--check' in sys.argv else 'written'}: {', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
