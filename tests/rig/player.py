"""A viewer's player: Debian's Chromium plays a recording with its subtitles, and tells when each cue was shown.

Files are handed to it where they lie; nothing listens and nothing leaves the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Route, async_playwright

from tests.rig.chromium import EXECUTABLE, FLAGS

_SITE = "http://player.test"
_PAGE = '<video src="/film.mp4" preload="auto"><track src="/words.vtt" kind="subtitles" default></video>'
_PLAY = """async shift => {
  const video = document.querySelector("video"), shown = [];
  const track = document.querySelector("track");
  track.track.mode = "showing";
  const until = (what, event) => new Promise((done, fail) => {
    what.addEventListener(event, done, {once: true});
    what.addEventListener("error", () => fail(new Error(`no ${event} of ${what.src}`)), {once: true});
  });
  if (track.readyState !== HTMLTrackElement.LOADED) await until(track, "load");
  if (video.readyState < HTMLMediaElement.HAVE_ENOUGH_DATA) await until(video, "canplaythrough");
  // The list is kept in order while times change.
  for (const cue of [...track.track.cues]) { cue.startTime += shift; cue.endTime += shift; }
  const seen = new Set();
  track.track.addEventListener("cuechange", () => {
    for (const cue of track.track.activeCues)
      if (!seen.has(cue)) { seen.add(cue); shown.push({at: video.currentTime, start: cue.startTime, text: cue.text}); }
  });
  let late = 0, last = performance.now();
  const beat = setInterval(() => {
    late = Math.max(late, performance.now() - last - 20);
    last = performance.now();
  }, 20);
  const over = until(video, "ended");
  await video.play();
  await over;
  clearInterval(beat);
  return {late: late / 1000, shown, size: [video.videoWidth, video.videoHeight]};
}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A cue. Times are seconds of the film: where it was when the cue came, and where the cue says it begins."""

    at: float
    start: float
    text: str


@dataclass(frozen=True, slots=True)
class Played:
    """``late`` is by how many seconds the page's timers were late at the worst: so late may cues be told, too."""

    late: float
    size: tuple[int, int]
    shown: list[Shown]


async def play(film: Path, subtitles: Path, shift: float) -> Played:
    """Play the whole film. Cues begin ``shift`` seconds later than the subtitles say."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(EXECUTABLE), headless=True, args=FLAGS)
        try:
            page = await browser.new_page()
            files = {"/film.mp4": (film, "video/mp4"), "/words.vtt": (subtitles, "text/vtt")}

            async def serve(route: Route) -> None:
                found = files.get(route.request.url.removeprefix(_SITE))
                if found is None:
                    await route.fulfill(body=_PAGE, content_type="text/html")
                    return
                path, kind = found
                await route.fulfill(body=path.read_bytes(), content_type=kind)

            await page.route("**/*", serve)
            await page.goto(f"{_SITE}/")
            told = await page.evaluate(_PLAY, shift)
        finally:
            await browser.close()
    return Played(told["late"], tuple(told["size"]), [Shown(**one) for one in told["shown"]])
