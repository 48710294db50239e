"""``wallflower layout preview``: the picture, the page that follows its files, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skia

from layouts.engine import compose
from layouts.option import ALL
from layouts.scene import Rect
from tests.rig import chromium
from tests.rig.required import unless
from tests.rig.servers.pictures import PictureServer, Told
from workers import gallery
from workers.cli import layout
from workers.cli.app import CliError, Exit
from workers.preview.asked import Asked, BadPreview
from workers.preview.beside import served
from workers.preview.page import PreviewPage
from workers.preview.people import call_of, name_of
from workers.preview.picture import Wanted, draw, png

RED = (200, 30, 40)


COMMAND = [sys.executable, "-c", "from workers.cli import main; main()", "layout", "preview"]


def preview(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment)


def still() -> bytes:
    pixels = np.full((60, 120, 4), (*RED, 255), np.uint8)
    image = skia.Image.fromarray(pixels, skia.ColorType.kRGBA_8888_ColorType)
    return bytes(image.encodeToData(skia.EncodedImageFormat.kPNG, 100))


def opened(content: bytes) -> npt.NDArray[np.uint8]:
    image = skia.Image.MakeFromEncoded(skia.Data(content))
    return image.toarray(colorType=skia.ColorType.kRGBA_8888_ColorType)[..., :3].copy()


def red_box(rgb: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero((np.abs(rgb.astype(int) - RED) <= 12).all(axis=2))
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def test_a_preview_is_a_picture_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    done = preview("spotlight", "--guests", "4", "--share", "--quality", "portrait-360x640", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out} (360×640)\n"
    assert opened(out.read_bytes()).shape == (640, 360, 3)


def test_pictures_of_options_are_fetched_through_the_guard(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    with PictureServer() as server:
        server.answers["/logo.png"] = [Told(still())]
        options = tmp_path / "options.json"
        options.write_text(json.dumps({"logo.image_url": f"{server.url}/logo.png", "logo.height": "60px"}))
        command = ["single-participant", "--options", f"@{options}", "--out", str(out)]
        refused = preview(*command, WALLFLOWER_GUARD__ALLOW_PRIVATE="[]")
        assert refused.returncode == 0 and "private, local or reserved" in refused.stderr
        assert server.asked == []
        done = preview(*command, WALLFLOWER_GUARD__ALLOW_PRIVATE='["127.0.0.0/8"]')
    assert done.returncode == 0 and done.stderr == ""
    left, top, right, bottom = red_box(opened(out.read_bytes()))
    assert (right - left, bottom - top) == pytest.approx((120, 60), abs=2)
    assert abs(left + right - 1280) <= 2 and top < 30, "in the middle above, as is the default"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("mosaic"), '"mosaic" is not a layout'),
        (Asked("grid", options="{"), "--options is no JSON"),
        (Asked("grid", options="[]"), "--options must be an object"),
        (Asked("grid", options='{"grid.colums": 3}'), 'Did you mean "grid.columns"?'),
        (Asked("grid", options="@/nowhere/options.json"), "/nowhere/options.json cannot be read"),
        (Asked("grid", quality="8k"), "known are 360p, 480p, 720p"),
        (Asked("grid", quality="audio-only"), "is no size of a picture"),
        (Asked("grid", guests=1000), "--guests must be from 0 to 200, not 1000"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_one_sentence(asked: Asked, said: str, tmp_path: Path) -> None:
    with pytest.raises(CliError) as refused:
        layout.preview(asked, tmp_path / "out.png")
    assert refused.value.code == Exit.BAD_INPUT
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "out.png").exists()


def test_options_are_read_anew_each_time(tmp_path: Path) -> None:
    options = tmp_path / "options.json"
    asked = Asked("grid", options=f"@{options}")
    options.write_text('{"grid.columns": 2}')
    assert asked.wanted().options == {"grid.columns": 2}
    options.write_text("no more")
    with pytest.raises(BadPreview, match=r"options\.json is no JSON"):
        asked.wanted()


def test_a_style_sheet_is_the_file_and_what_lies_beside_it(tmp_path: Path) -> None:
    css = tmp_path / "my style.css"
    css.write_text("a {}")
    (tmp_path / "beside.png").write_bytes(still())
    with served(css) as url:
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"a {}" and answer.headers["Content-Type"] == "text/css"
        folder = url.rpartition("/")[0]
        with urllib.request.urlopen(f"{folder}/beside.png", timeout=5) as answer:
            assert answer.read() == still()
        for elsewhere in (f"{folder}/", f"{folder}/../../etc/passwd", f"{folder.rpartition('/')[0]}/my%20style.css"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(elsewhere, timeout=5)
            refused.value.close()
    with pytest.raises(OSError), served(tmp_path / "none.css"):
        pass


@unless(chromium.why_not())
def test_a_style_sheet_is_drawn_by_the_browser(tmp_path: Path) -> None:
    css = tmp_path / "style.css"
    css.write_text(
        """
        .str-video__participant-details { background: rgb(200, 30, 40); border-radius: 0 }
        body { background: url(beside.png) }
        """
    )
    (tmp_path / "beside.png").write_bytes(still())
    options = Asked("grid", guests=1, quality="360p", css=str(css))
    layout.preview(options, tmp_path / "styled.png")
    layout.preview(Asked("grid", guests=1, quality="360p"), tmp_path / "plain.png")
    styled, plain = (opened((tmp_path / name).read_bytes()) for name in ("styled.png", "plain.png"))
    tile = compose("grid", {}, (640, 360), call_of(1)).tiles[0].rect
    left, top, right, bottom = red_box(styled[tile.y :, tile.x :][: tile.height, : tile.width])
    assert 30 < right - left < 200 and 10 < bottom - top < 40 and top > tile.height * 0.8
    assert not (np.abs(plain.astype(int) - RED) <= 12).all(axis=2).any()
    middle = (slice(60, 200), slice(120, 500))
    assert np.abs(styled[middle].astype(int) - plain[middle]).mean() < 2, "the guest is the same"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[PreviewPage, Path]]:
    options = tmp_path / "options.json"
    options.write_text("{}")
    asked = Asked("grid", options=f"@{options}", quality="360p", guests=3)

    def drawn() -> bytes:
        return png(draw(asked.wanted()))

    served = PreviewPage(asked, drawn)
    thread = threading.Thread(target=served.run)
    thread.start()
    yield served, options
    served.close()
    thread.join()


def got(page: PreviewPage, path: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{page.url}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_page_s_picture_follows_the_options_file(page: tuple[PreviewPage, Path]) -> None:
    served, options = page
    assert b"/picture.png" in got(served, "")[1]
    first = json.loads(got(served, "state")[1])
    before = opened(got(served, "picture.png")[1])
    assert before.shape == (360, 640, 3) and json.loads(got(served, "state")[1]) == first
    options.write_text('{"video.background_color": "#c81e28"}')
    assert json.loads(got(served, "state")[1]) != first
    after = opened(got(served, "picture.png")[1])
    assert np.abs(before[1, 1].astype(int)).max() < 10 and np.abs(after[1, 1].astype(int) - RED).max() <= 6
    options.write_text('{"gird.columns": 2}')
    status, said = got(served, "picture.png")
    assert status == 422 and b'Did you mean "grid.columns"?' in said


def test_the_page_is_for_this_machine_alone(page: tuple[PreviewPage, Path]) -> None:
    served, _ = page
    assert served.url.startswith("http://127.0.0.1:")
    assert served._server.server_address[0] == "127.0.0.1"
    assert got(served, "picture.png", Host="evil.example")[0] == 403
    assert got(served, "picture.png", Host=f"localhost:{served.port}")[0] == 200
    assert got(served, "../../etc/passwd")[0] == 404


def test_the_page_is_served_by_the_command_until_it_is_interrupted(tmp_path: Path) -> None:
    # What is started in the background ignores interrupts, and so do its children.
    process = subprocess.Popen(
        [*COMMAND, "grid", "--serve"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    url = line.split()[0]
    with urllib.request.urlopen(f"{url}picture.png", timeout=30) as answer:
        assert opened(answer.read()).shape == (720, 1280, 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    process.stdout.close()


def test_guests_have_names_of_many_scripts_and_stills_of_their_own() -> None:
    assert len({name_of(number) for number in range(50)}) == 50
    call = call_of(50)
    rgb = draw(Wanted("grid", {}, (1280, 720), call))
    scene = compose("grid", {}, (1280, 720), call)
    seen = {mean_colour(rgb, tile.rect) for tile in scene.tiles if tile.source}
    assert len(seen) == len([tile for tile in scene.tiles if tile.source]) >= 17


def mean_colour(rgb: npt.NDArray[np.uint8], rect: Rect) -> tuple[int, ...]:
    part = rgb[rect.y : rect.bottom, rect.x : rect.right].reshape(-1, 3)
    return tuple(int(value) for value in part.mean(axis=0).round())


def test_the_gallery_shows_every_layout_with_every_number_of_guests(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Wanted] = []

    def fake(wanted: Wanted) -> Any:
        drawn.append(wanted)
        return np.zeros((wanted.size[1], wanted.size[0], 3), np.uint8)

    monkeypatch.setattr(gallery, "draw", fake)
    for sheet in gallery.sheets():
        gallery.contact(sheet)
    combinations = {
        (w.layout, len(w.call.participants), any(p.has_screen_share for p in w.call.participants), w.size)
        for w in drawn
    }
    assert len(combinations) == len(drawn) == len(ALL) * 9 * 2 * 2
    assert {count for _, count, _, _ in combinations} == {1, 2, 3, 4, 5, 9, 10, 20, 50}


def test_the_gallery_of_the_documentation_is_whole_and_small() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "gallery.md").read_text() == gallery.page("gallery")
    files = {path.name: path.stat().st_size for path in (docs / "gallery").iterdir()}
    assert set(files) == {sheet.name for sheet in gallery.sheets()}
    assert sum(files.values()) < 4_000_000
