"""All that an attendant paints with: pictures from elsewhere, a thread for our painter, a browser for style sheets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from egress.browser.studio import Studio
from egress.easel import Maker, NativeMaker
from egress.images.store import ImageStore
from egress.protocol.recordings import LayoutSettings
from egress.styled import StyledMaker
from egress.url_guard import Guard

log = logging.getLogger(__name__)


class Paints:
    """What one program is painted with: the thread, and what makes its decor there."""

    def __init__(self, thread: ThreadPoolExecutor, maker: Maker, *, own: bool) -> None:
        self.thread = thread
        self.maker = maker
        self.slow = own
        """Whether scenes may come faster than they are painted."""
        self._own = own

    def put_away(self) -> None:
        """Nothing more is painted with them."""
        if self._own:
            if isinstance(self.maker, StyledMaker):
                self.thread.submit(self.maker.close)
            self.thread.shutdown(wait=False)


class Atelier:
    """Gives programs what they are painted with. Event loop only."""

    def __init__(
        self, guard: Guard, unavailable: Callable[[str, str], None], warn: Callable[[str, str, str], None]
    ) -> None:
        """``unavailable`` is told of pictures that cannot be had (where, why), ``warn`` of what a layout lacks: its
        egress, a code, a sentence.
        """
        self._warn_of = warn
        self.images = ImageStore(guard, unavailable)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paint")
        self._studio = Studio(guard)
        self._loop = asyncio.get_running_loop()

    def paints(self, egress_id: str, layout: LayoutSettings, size: tuple[int, int]) -> Paints:
        """What a layout of that egress is painted with, on a canvas of that size."""
        if not layout.external_css_url:
            return Paints(self._thread, NativeMaker(self.images), own=False)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"paint-{egress_id}")
        warn = partial(self._warn, egress_id)
        maker = StyledMaker(self._studio, layout.external_css_url, size, self.images, warn)
        return Paints(thread, maker, own=True)

    async def close(self) -> None:
        self._thread.shutdown(wait=False)
        await asyncio.gather(self.images.close(), asyncio.to_thread(self._studio.close))

    def _warn(self, egress_id: str, code: str, message: str) -> None:
        try:
            self._loop.call_soon_threadsafe(self._warn_of, egress_id, code, message)
        except RuntimeError:
            log.warning("the attendant was gone before it could be told that %s", message)
