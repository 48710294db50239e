"""What each layout costs, and a page in the place of one: the same call of nine, recorded with each in turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.recorded import Cost, record
from egress.protocol.encoding import Quality
from egress.protocol.recordings import CompositeRecording, LayoutSettings, PageSource
from tests.rig.loopback import LoopbackRoom
from tests.rig.servers.pictures import PictureServer, Told

GUESTS = 9
LAYOUTS = ("grid", "spotlight", "single-participant")
PAGE = "a web page"
_ANIMATED = b"""<!doctype html><title>bench</title><body style="margin:0;background:#123">
<div id="box" style="position:absolute;width:320px;height:320px;background:#fb0"></div>
<script>
  const box = document.getElementById("box");
  const step = (now) => {
    box.style.transform = `translate(${480 + 400 * Math.sin(now / 700)}px, ${200 + 160 * Math.cos(now / 900)}px)`;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
</script>"""


async def run(folder: Path, seconds: float, say: Callable[[str], None]) -> dict[str, Cost]:
    """Processor time at 720p, by layout."""
    found: dict[str, Cost] = {}
    with PictureServer() as server:
        server.answers["/"] = [Told(_ANIMATED, headers={"Content-Type": "text/html"})]
        page = PageSource(url=f"{server.url}/", app=False)
        async with LoopbackRoom(GUESTS) as room:
            for number, name in enumerate((*LAYOUTS, PAGE)):
                say(f"recording {name} for {seconds:g} s")
                is_page = name == PAGE
                spec = CompositeRecording(
                    kind="web_recording" if is_page else "composite_recording",
                    egress_id="layouts",
                    quality=Quality.P720,
                    layout=LayoutSettings(name="grid" if is_page else name),
                    page=page if is_page else None,
                )
                found[name] = await record(room.url, spec, folder / f"layout-{number}", seconds)
    return found
