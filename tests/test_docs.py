"""The documentation says what the code has: modules, fields, commands, reports, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from egress import attendant, process, recordings
from egress.protocol.commands import Command
from egress.protocol.encoding import AudioEncoding, Quality, VideoEncoding
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.reports import Report
from egress.rtc.ice_settings import IceServer, IceSettings

ROOT = Path(__file__).parents[1]
PACKAGES = ("egress", "layouts", "storage", "workers")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def models(union: Any) -> list[type[BaseModel]]:
    """The members of a discriminated union."""
    return list(get_args(get_args(union)[0]))


def fields(model: type[BaseModel]) -> Iterator[str]:
    yield from model.model_fields


@pytest.fixture(scope="module")
def architecture() -> str:
    return (ROOT / "docs/architecture.md").read_text()


@pytest.fixture(scope="module")
def by_hand() -> str:
    return (ROOT / "docs/attendant.md").read_text()


def section_of(page: str, package: str) -> str:
    """What the map says of one package."""
    start = page.index(f"### `{package}/`")
    end = page.find("\n### ", start + 1)
    return page[start : end if end >= 0 else page.index("\n## ", start)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_on_the_map(architecture: str, package: str) -> None:
    section = section_of(architecture, package)
    named = set(re.findall(r"`([\w/]+\.py)`", section))
    paths = [p.relative_to(ROOT / package) for p in (ROOT / package).rglob("*.py") if p.name != "__init__.py"]
    assert paths
    missing = [str(p) for p in paths if not {str(Path(*p.parts[i:])) for i in range(len(p.parts))} & named]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_names_no_module_that_is_gone(architecture: str, package: str) -> None:
    named = re.findall(r"^\| (.*?) \|", section_of(architecture, package), re.MULTILINE)
    modules = [name for cell in named for name in re.findall(r"`([\w/]+\.py)`", cell)]
    assert modules
    assert [m for m in modules if not list((ROOT / package).rglob(m))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [link.split("#")[0] for link in LINK.findall(page.read_text())]
    relative = [link for link in links if link and not link.startswith(("http:", "https:", "mailto:"))]
    assert [link for link in relative if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "model",
    [
        Job,
        CompositeRecording,
        LayoutSettings,
        VideoEncoding,
        AudioEncoding,
        IceSettings,
        IceServer,
        *models(Command),
        *models(Report),
    ],
    ids=lambda model: model.__name__,
)
def test_every_field_of_the_protocol_is_explained(by_hand: str, model: type[BaseModel]) -> None:
    assert [name for name in fields(model) if f"`{name}`" not in by_hand] == []


@pytest.mark.parametrize("model", models(Command), ids=lambda model: model.__name__)
def test_every_command_is_explained(by_hand: str, model: type[BaseModel]) -> None:
    assert f"| `{model.model_fields['op'].default}` |" in by_hand


@pytest.mark.parametrize("model", models(Report), ids=lambda model: model.__name__)
def test_every_report_is_explained(by_hand: str, model: type[BaseModel]) -> None:
    assert f"| `{model.model_fields['report'].default}` |" in by_hand


def test_every_quality_is_named(by_hand: str) -> None:
    assert [q for q in Quality if f"`{q.removeprefix('portrait-')}`" not in by_hand] == []


@pytest.mark.parametrize("module", [process, attendant, recordings], ids=lambda module: module.__name__)
def test_every_code_of_the_attendant_is_named(by_hand: str, module: Any) -> None:
    source = Path(module.__file__).read_text()
    codes = set(re.findall(r'(?:_refuse\((?:[\w.]+|"\w+"), |_over\(|code or )"(\w+)"', source))
    assert len(codes) >= 3
    assert {code for code in codes if f"`{code}`" not in by_hand} == set()


def test_the_job_in_the_text_is_a_job(by_hand: str) -> None:
    example = by_hand.split("```json\n", 1)[1].split("```", 1)[0]
    job = Job.model_validate_json(example)
    assert job.egresses[0].egress_id == "rec"
    assert job.connector["type"] == "janus"
