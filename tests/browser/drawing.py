"""What tests of styled layouts draw with: stills in the place of cameras, a server of style sheets, makers."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import skia
from numpy.typing import NDArray

from egress.browser.layout_page import LayoutPage, pixels
from egress.browser.studio import Studio
from egress.media.compositor import Compositor, Decor, TrackKey
from egress.media.video_source import Picture
from egress.styled import StyledMaker
from layouts.images import NoImages
from layouts.scene import Scene
from tests.rig.servers.pictures import PictureServer, Told

SIZE = (1280, 720)
_PATHS = itertools.count()


@dataclass
class Painted:
    """A maker for one style sheet, and what it warned of."""

    studio: Studio
    maker: StyledMaker
    warned: list[tuple[str, str]] = field(default_factory=list)

    @property
    def page(self) -> LayoutPage:
        assert self.maker._page is not None
        return self.maker._page

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.studio.run(self.page._page.evaluate(script, argument), 10)


def painted(studio: Studio, url: str, size: tuple[int, int] = SIZE) -> Painted:
    warned: list[tuple[str, str]] = []
    maker = StyledMaker(studio, url, size, NoImages(), lambda code, message: warned.append((code, message)))
    return Painted(studio, maker, warned)


def served(server: PictureServer, css: str, **more: Any) -> str:
    """The URL of a style sheet."""
    path = f"/{next(_PATHS)}.css"
    server.answers[path] = [Told(css.encode(), **more)]
    return server.url + path


def still(number: int, width: int = 640, height: int = 360) -> NDArray[np.uint8]:
    """An (h, w, 3) picture that is smooth, so that whoever scales it in whatever way gets the same."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack(
        [
            128 + 90 * np.sin(x / 60 + number),
            128 + 90 * np.cos(y / 50 + 2 * number),
            128 + 90 * np.sin((x + y) / 80 + 3 * number),
        ],
        axis=-1,
    )
    return waves.astype(np.uint8)


def composed(scene: Scene, decor: Decor, stills: Mapping[TrackKey, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(h, w, 3), as it comes to the encoder."""
    compositor = Compositor(scene.width, scene.height)
    compositor.show(decor)
    frames = {key: av.VideoFrame.from_ndarray(rgb, format="rgb24") for key, rgb in stills.items()}
    pictures = {key: Picture(frame.reformat(format="yuv420p"), 0, 1, 0.0) for key, frame in frames.items()}
    return compositor.compose(pictures).to_ndarray(format="rgb24")


def rendered(by: Painted, scene: Scene, stills: Mapping[TrackKey, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The whole page as Chromium shows it, with the stills in the place of videos: (h, w, 3)."""
    addresses = [
        stills.get((tile.session_id, tile.source)) if tile.source is not None else None for tile in scene.tiles
    ]
    by.studio.run(by.page.show(scene), 10)
    by.evaluate(
        """async (addresses) => {
            fill("nothing");
            const videos = [...document.querySelectorAll("video")];
            const shown = addresses.filter((address) => address !== null);
            videos.forEach((video, index) => { video.poster = shown[index]; });
            await Promise.all(shown.map((address) => { const i = new Image(); i.src = address; return i.decode(); }));
            await settled();
            await new Promise((resolve) => setTimeout(resolve, 300));
        }""",
        [None if rgb is None else _data_url(rgb) for rgb in addresses],
    )
    return pixels(by.studio.run(by.page.whole(), 10))


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return values


def _data_url(rgb: NDArray[np.uint8]) -> str:
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    png = skia.Image.fromarray(np.ascontiguousarray(rgba), skia.ColorType.kRGBA_8888_ColorType).encodeToData(
        skia.EncodedImageFormat.kPNG, 100
    )
    return f"data:image/png;base64,{base64.b64encode(bytes(png)).decode()}"
