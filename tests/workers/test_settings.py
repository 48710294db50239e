"""Settings: from variables and one file, with errors made for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from egress.protocol.encoding import Quality
from workers.settings import LONGEST_SOCKET_PATH, Settings, SettingsError, load


def test_everything_has_a_default() -> None:
    settings = load()
    assert settings.ledger_url == f"sqlite:///{Path('var').absolute()}/ledger.sqlite"
    assert settings.recordings == Path("var/recordings").absolute()
    assert settings.attendants.command[1:] == ["-m", "egress.attend"]


@pytest.mark.parametrize(
    ("quality", "cap"),
    [("360p", 320_000), ("480p", 430_000), ("720p", 1_300_000), ("1080p", 2_900_000), ("1440p", 5_200_000)],
)
def test_bitrate_caps_are_those_of_conferences_by_resolution(quality: str, cap: int) -> None:
    assert load().bitrate_cap(Quality(quality).size) == cap


@pytest.mark.parametrize("quality", list(Quality))
def test_every_quality_with_a_picture_has_a_cap(quality: Quality) -> None:
    cap = load().bitrate_cap(quality.size)
    assert cap is None if quality is Quality.AUDIO_ONLY else cap is not None and cap > 0


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[recording]\ncrf = 30\nfps = 25\n[recording.max_bitrate]\n720p = 2000000\n")
    monkeypatch.setenv("WALLFLOWER_CONFIG", str(file))
    monkeypatch.setenv("WALLFLOWER_RECORDING__FPS", "15")
    settings = load()
    assert (settings.recording.crf, settings.recording.fps) == (30, 15)
    assert settings.bitrate_cap((1280, 720)) == 2_000_000
    assert settings.bitrate_cap((1920, 1080)) == 2_900_000


def test_the_file_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wallflower.toml").write_text('worker_id = "w7"\n')
    monkeypatch.chdir(tmp_path)
    assert load().owner == "w7"


def _store(name: str, access: str = "") -> str:
    return f'[[stores]]\nname = "{name}"\nstorage_type = "s3"\nbucket = "b"\n[stores.aws_s3]\n{access}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recording]\nframes = 1", "recording.frames"),
        ("[recording]\ncrf = 99", "recording.crf: Input should be less than or equal to 40"),
        ('[broker]\nurl = "sqs://x"', "broker.url: sqs: is no broker; known are memory:, redis://"),
        ('[storage]\nkey_template = "{call_id}"', "storage.key_template: the key template must hold {egress_id}"),
        ('[storage]\ndefault = "sold"', "settings: storage.default: there is no store 'sold'; known are local"),
        ("[storage]\npart_size = 1000", "storage.part_size: Input should be greater than or equal to 5242880"),
        (_store("local"), "settings: stores: the name 'local' is that of the folder on this machine"),
        (_store("a") + _store("a"), "settings: stores: two stores have the name 'a'"),
        ("".join(_store(f"s{n}") for n in range(11)), "stores: List should have at most 10 items"),
        (_store("a", 's3_api_key = "k"'), "s3_api_key and s3_secret belong together"),
        (_store("a", 's3_custom_endpoint_url = "https://x"'), "s3_custom_endpoint_url needs s3_api_key and s3_secret"),
        (_store("a").replace('bucket = "b"', 'bucket = "b"\npath = "../x"'), "path must be a folder"),
        ("nonsense", "settings cannot be read"),
        ("surprise = 1", "surprise: Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    (tmp_path / "wallflower.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        load()
    assert said in str(caught.value)


def test_a_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLFLOWER_CONFIG", "/nowhere/wallflower.toml")
    with pytest.raises(SettingsError, match="which is no file"):
        load()


def test_secrets_are_not_shown() -> None:
    settings = Settings.model_validate(
        {
            "broker": {"url": "redis://me:hunter2@host/0"},
            "ledger": {"url": "postgresql://me:hunter2@host/db"},
            "ice_servers": [{"urls": ["turn:x"], "username": "u", "credential": "hunter2"}],
        }
    )
    assert "hunter2" not in repr(settings) and "hunter2" not in str(settings)


def test_sockets_have_short_names_however_deep_the_folders_are(tmp_path: Path) -> None:
    short = Settings(data_dir=Path("/srv/w"))
    assert short.sockets == short.runs == Path("/srv/w/run")
    deep = Settings(data_dir=tmp_path / ("d" * 120))
    assert len(str(deep.sockets / "0123456789ab.sock")) <= LONGEST_SOCKET_PATH
    assert deep.sockets != Settings(data_dir=tmp_path / ("e" * 120)).sockets


def test_an_attendant_may_be_alone_for_less_than_two_leases() -> None:
    with pytest.raises(
        SettingsError, match=r"orphan_timeout \(60 s\) may be at most 55\.7 s with an agent\.lease of 30 s"
    ):
        load(agent={"lease": 30.0})
    assert load(agent={"lease": 30.0}, attendants={"orphan_timeout": 55.0}).attendants.orphan_timeout == 55.0
