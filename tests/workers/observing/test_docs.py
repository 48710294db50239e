"""The page on monitoring names every metric, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.workers.conftest import KEYS, make_settings
from tests.workers.observing.test_server import STATUS, fill
from workers.ledger.database import Ledger
from workers.observing import metrics
from workers.observing.measured import Gauges
from workers.observing.vitals import Vitals

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"


def test_the_page_names_the_metrics_with_their_labels(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "data")
    settings.spools.mkdir(parents=True)
    ledger = Ledger(settings.ledger_url, KEYS)
    ledger.upgrade()
    fill(ledger)
    vitals = Vitals(settings, ledger, lambda: STATUS)
    vitals.beat()
    registry = CollectorRegistry()
    registry.register(Gauges(ledger, settings, vitals))
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for source in (registry, metrics.REGISTRY)
        for family in source.collect()
    }
    ledger.close()
    named = set(re.findall(r"^\| `(wallflower_\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert named == there


def test_alerts_use_metrics_that_there_are() -> None:
    page = PAGE.read_text()
    named = set(re.findall(r"^\| `(wallflower_\w+)` \|", page, re.MULTILINE))
    used = set(re.findall(r"wallflower_\w+", page[page.index("```yaml") :]))
    assert used and used <= named
