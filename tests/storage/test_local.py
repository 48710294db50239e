"""The local folder as store."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from storage.local import LocalTarget
from storage.target import StorageError


@pytest.fixture
def target(tmp_path: Path) -> LocalTarget:
    return LocalTarget(tmp_path / "store")


@pytest.fixture
def spooled(tmp_path: Path) -> Path:
    path = tmp_path / "spooled.mp4"
    path.write_bytes(b"picture and sound")
    return path


def test_a_file_is_moved_into_place(target: LocalTarget, spooled: Path, tmp_path: Path) -> None:
    stored = target.deliver(spooled, "a/b/c.mp4")
    assert (tmp_path / "store/a/b/c.mp4").read_bytes() == b"picture and sound"
    assert stored.url == (tmp_path / "store/a/b/c.mp4").as_uri()
    assert stored.size == 17
    assert not spooled.exists()


def test_delivering_again_after_a_crash_changes_nothing(target: LocalTarget, spooled: Path) -> None:
    assert target.deliver(spooled, "c.mp4") == target.deliver(spooled, "c.mp4")


def test_between_file_systems_the_file_is_copied_and_never_seen_in_half(
    target: LocalTarget, spooled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def across(self: Path, to: Any) -> Path:
        if self == spooled:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", across)
    assert target.deliver(spooled, "c.mp4").size == 17
    assert not spooled.exists()
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["c.mp4"]


def test_a_file_that_is_nowhere_is_an_error(target: LocalTarget, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not in the spool"):
        target.deliver(tmp_path / "gone.mp4", "c.mp4")


def test_a_place_that_cannot_be_written_leaves_the_file_in_the_spool(
    target: LocalTarget, spooled: Path, tmp_path: Path
) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        target.deliver(spooled, "a/c.mp4")
    assert spooled.exists()


@pytest.mark.parametrize("key", ["../c.mp4", "/etc/c.mp4", "a/../../c.mp4", "", "a//b", "a\0b"])
def test_a_key_that_leaves_the_folder_is_refused(target: LocalTarget, spooled: Path, key: str) -> None:
    with pytest.raises(StorageError, match="no path inside"):
        target.deliver(spooled, key)
    assert spooled.exists()


def test_an_upload_grows_out_of_sight_and_may_repeat_its_first_part(target: LocalTarget, tmp_path: Path) -> None:
    upload = target.open_upload("d/e.mp4", part_size=4)
    upload.put_part(1, b"free")
    upload.put_part(2, b"moof")
    assert not (tmp_path / "store/d/e.mp4").exists()
    again = target.resume_upload(upload.token)
    again.put_part(3, b"mo")
    again.put_part(1, b"ftyp")
    stored = again.complete([])
    assert (tmp_path / "store/d/e.mp4").read_bytes() == b"ftypmoofmo"
    assert stored.size == 10
    assert [p.name for p in (tmp_path / "store/d").iterdir()] == ["e.mp4"]


def test_an_aborted_upload_leaves_nothing(target: LocalTarget, tmp_path: Path) -> None:
    upload = target.open_upload("d/e.mp4", part_size=4)
    upload.put_part(1, b"free")
    upload.abort()
    upload.abort()
    assert list((tmp_path / "store/d").iterdir()) == []
    with pytest.raises(StorageError, match="is gone"):
        target.resume_upload(upload.token)


def test_a_part_that_is_too_large_is_refused(target: LocalTarget) -> None:
    upload = target.open_upload("e.mp4", part_size=4)
    with pytest.raises(StorageError, match="does not fit"):
        upload.put_part(1, b"large")


def test_the_check_leaves_nothing_behind(target: LocalTarget, tmp_path: Path) -> None:
    target.check()
    assert list((tmp_path / "store").iterdir()) == []
