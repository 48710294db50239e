"""The documentation says what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from egress.call import livekit
from egress.call.connector import BUILT_IN, ROOM_GONE, Abilities, connector
from egress.call.livekit.address import LivekitAddress
from egress.call.model import REMOVED
from egress.protocol.encoding import Quality
from egress.sealing import Keyring
from workers.abilities import table
from workers.calls.models import RecordSettings
from workers.calls.projects import resolved
from workers.calls.rooms import room
from workers.events.models import EVENTS
from workers.messages import MESSAGES, parse
from workers.reference import DOCS, FOLDER, pages, tables
from workers.refused import NAMES
from workers.settings import Settings


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.S)


@pytest.mark.parametrize("name", list(pages()))
def test_the_reference_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "python -m workers.reference writes it anew"


@pytest.mark.parametrize("name", list(tables()))
def test_the_tables_in_pages_by_hand_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == tables()[name], "python -m workers.reference writes them anew"


def test_the_table_of_connectors_has_every_connector_and_every_ability() -> None:
    head, _, *rows = table().splitlines()
    assert head == f"| | {' | '.join(f'`{name}`' for name in sorted(BUILT_IN))} |"
    assert len(rows) == len(fields(Abilities))
    (shares,) = (row for row in rows if row.startswith("| shared screens |"))
    told = [cell.strip() for cell in shares.strip("|").split("|")[1:]]
    assert told == ["yes" if connector(name).abilities.screen_share else "no" for name in sorted(BUILT_IN)]


def test_the_reference_is_the_same_whatever_the_order_of_sets() -> None:
    root = Path(__file__).parents[2]
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "workers.reference", "--check"]
        environment = {"PYTHONHASHSEED": seed, "PATH": ""}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_reference_has_every_message_event_and_setting() -> None:
    found = pages()
    for name in MESSAGES:
        assert f"## `{name}`" in found["messages.md"]
    for name in EVENTS:
        assert f"## `{name}`" in found["events.md"]
    for name in Settings.model_fields:
        assert f"| `{name}` |" in found["settings.md"]


def test_links_within_the_reference_lead_somewhere() -> None:
    for name, text in pages().items():
        headings = {line.lstrip("# ").strip("`").lower() for line in text.splitlines() if line.startswith("##")}
        for target in re.findall(r"\]\(#([^)]+)\)", text):
            assert target in headings, f"{name}: {target}"


@pytest.mark.parametrize("page", ["operations.md", "messages.md"])
def test_examples_of_settings_can_be_used(page: str) -> None:
    (text,) = blocks(page, "toml")
    given = tomllib.loads(text)
    stores = given.setdefault("stores", [{"name": "archive", "storage_type": "s3", "bucket": "films"}])
    settings = Settings.model_validate(given)
    Keyring([key.get_secret_value() for key in settings.secrets.keys] or ["0" * 43 + "="])
    assert settings.call_types["default"].settings.recording.mode == "auto-on"
    assert {store.name for store in settings.stores} == {store["name"] for store in stores}


@pytest.mark.parametrize("page", ["../README.md", "connectors.md"])
def test_examples_of_projects_can_be_used(page: str) -> None:
    (text,) = (block for block in blocks(page, "toml") if "[projects." in block)
    given = tomllib.loads(text.replace('"…"', '"secret"'))
    settings = Settings.model_validate({**given, "secrets": {}, "ledger": {}})
    found = room(settings, None, "default:standup")
    assert resolved(found, settings.projects) == {**settings.projects["main"], "room": "standup"}


def test_the_five_lines_for_livekit_are_the_same_everywhere_and_can_be_used() -> None:
    told = [
        re.search(r"^    export WALLFLOWER_PROJECTS=.*?\n\n", (DOCS / page).read_text(), re.S | re.M)
        for page in ("../README.md", "connectors.md")
    ]
    readme, page = (match[0] if match else "" for match in told)
    assert readme == page and len(readme.strip().splitlines()) == 5
    said = [json.loads(text) for text in re.findall(r"'({.*})'", readme)]
    projects, start, stop = said
    for message in (start, stop):
        parse(message.pop("type"), message, projects=Settings(projects=projects).projects)


def test_every_code_of_the_connector_livekit_is_explained() -> None:
    source = "".join(path.read_text() for path in Path(livekit.__path__[0]).glob("*.py"))
    codes = set(re.findall(r'ConnectorError\(\s*"(\w+)"', source)) | {ROOM_GONE, REMOVED}
    assert len(codes) >= 12
    text = (DOCS / "connectors.md").read_text().partition("## livekit\n")[2].partition("\n## ")[0]
    assert {code for code in codes if f"| `{code}` |" not in text} == set()


def test_every_field_of_a_livekit_address_is_explained() -> None:
    text = (DOCS / "connectors.md").read_text().partition("## livekit\n")[2].partition("\n## ")[0]
    assert [name for name in LivekitAddress.model_fields if f"`{name}`" not in text and name != "type"] == []


def test_examples_of_messages_are_messages() -> None:
    text = (DOCS / "messages.md").read_text()
    for name in MESSAGES:
        section = text.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        example = re.search(r"```json\n(.*?)```", section, re.S)
        assert example is not None, name
        parse(name, json.loads(example[1]))


def test_examples_of_answers_are_answers() -> None:
    answers = [json.loads(text) for text in blocks("messages.md", "json") if "request_answered" in text]
    assert len(answers) == 2
    for answer in answers:
        made = EVENTS[answer["type"]].model_validate_json(json.dumps(answer))
        assert json.loads(made.model_dump_json(exclude_none=True)) == answer


def test_qualities_fields_and_codes_are_in_the_page_on_messages() -> None:
    text = (DOCS / "messages.md").read_text()
    names = {*MESSAGES, *Quality, *RecordSettings.model_fields} - {"layout"}
    for name in names:
        assert f"`{name}`" in text, name
    for code, name in NAMES.items():
        assert f"| {code} | {name} |" in text
