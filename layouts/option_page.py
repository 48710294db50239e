"""The table of options as a page of the documentation has it (Markdown)."""

from __future__ import annotations

import json

from layouts.option import ALL, Default, Option
from layouts.option_table import OPTIONS


def table() -> str:
    """Every option, and below it every conflict that was decided."""
    lines = ["| option | also named | takes | default | layouts | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    for option in OPTIONS:
        layouts = "all" if option.layouts == ALL else ", ".join(option.layouts)
        aliases = ", ".join(f"`{name}`" for name in option.aliases)
        takes = option.expected.replace("|", "\\|")
        lines.append(f"| `{option.name}` | {aliases} | {takes} | {_defaults(option)} | {layouts} | {option.meaning} |")
    lines += ["", "Where documentation and the open layout app disagree, or the documentation with itself:", ""]
    lines += ["| option | what was decided |", "| --- | --- |"]
    lines += [f"| `{option.name}` | {option.conflict} |" for option in OPTIONS if option.conflict]
    return "\n".join(lines)


def _defaults(option: Option) -> str:
    told = _default(option.default)
    for layout, default in option.by_layout.items():
        told += f", in {layout} {_default(default)}"
    return told


def _default(value: Default) -> str:
    if value is None or value == "":
        return "none"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"
