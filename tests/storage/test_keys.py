"""Keys: filled from templates, never outside their folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.keys import DEFAULT_TEMPLATE, KeyFields, KeyTemplateError, beside, check_template, fill

START = datetime(2025, 2, 10, 9, 15, 44, 252969, UTC)


def test_the_default_template_names_call_session_egress_time_and_part() -> None:
    key = fill(DEFAULT_TEMPLATE, KeyFields("default:standup", "s1", "e1", 1, 7, START, "mp4"))
    assert key == "default/standup/s1/e1_20250210T091544Z_007.mp4"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{egress_id}_{colour}_{part}", "has no field 'colour'; known are call_type"),
        ("{egress_id", "cannot be read"),
        ("{call_id}.mp4", "must hold {egress_id}"),
        ("{egress_id}.mp4", "must hold {part}"),
        ("../{egress_id}_{part}", "no path inside a folder"),
        ("/{egress_id}_{part}", "no path inside a folder"),
        ("a//{egress_id}_{part}", "no path inside a folder"),
        ("{egress_id}_{part:zz}", "cannot be filled"),
        ("{egress_id.__class__}_{part}", "has no field"),
        ("{egress_id}_{part}" + "x" * 300, "too long"),
    ],
)
def test_a_template_that_would_lose_or_misplace_files_is_refused(template: str, said: str) -> None:
    with pytest.raises(KeyTemplateError) as caught:
        check_template(template)
    assert said in str(caught.value)


@given(cid=st.text(), session=st.text(), egress=st.text(), ext=st.text())
def test_no_value_leaves_the_folder(cid: str, session: str, egress: str, ext: str) -> None:
    key = fill(DEFAULT_TEMPLATE, KeyFields(cid, session, egress, 1, 1, START, ext))
    path = PurePosixPath(key)
    assert not path.is_absolute()
    assert len(path.parts) == 4
    assert not any(part.startswith(".") or part in ("", "..") for part in path.parts)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("default/abc/s1/e1_001.mp4", "default/abc/s1/e1_001.manifest.json"),
        ("e1.mp3", "e1.manifest.json"),
        ("a.b/e1", "a.b/e1.manifest.json"),
        ("a/.mp4", "a/.mp4.manifest.json"),
        ("a/" + "é" * 125 + ".mp4", "a/" + "é" * 120 + ".manifest.json"),
    ],
)
def test_what_accompanies_a_file_lies_beside_it_under_its_name(key: str, expected: str):
    found = beside(key, ".manifest.json")
    assert found == expected
    assert len(found.rpartition("/")[2].encode()) <= 255
