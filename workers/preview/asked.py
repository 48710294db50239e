"""What is asked of a preview, read anew for each picture: options and style sheets may change meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egress.protocol.encoding import Quality
from workers.preview.people import MOST, call_of
from workers.preview.picture import Wanted, is_url


class BadPreview(Exception):
    """A preview that cannot be made. The text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Asked:
    """As it was given on the command line. ``options`` is JSON, or ``@`` and the path of a file with it."""

    layout: str
    options: str = "{}"
    guests: int = 5
    share: bool = False
    quality: str = "720p"
    speaker: int | None = 2
    css: str | None = None

    def wanted(self) -> Wanted:
        """What is to be seen now. Raises BadPreview."""
        return Wanted(self.layout, self._options(), self._size(), self._call(), self.css)

    @property
    def files(self) -> tuple[Path, ...]:
        """Those whose change changes the picture."""
        css = [Path(self.css)] if self.css is not None and not is_url(self.css) else []
        return (*([Path(self.options[1:])] if self.options.startswith("@") else []), *css)

    def _options(self) -> dict[str, Any]:
        where, text = "--options", self.options
        if text.startswith("@"):
            where = text[1:]
            try:
                text = Path(where).read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise BadPreview(f"{where} cannot be read: {error}") from None
        try:
            options = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadPreview(f"{where} is no JSON: {error}") from None
        if not isinstance(options, dict):
            raise BadPreview(f'{where} must be an object such as {{"grid.columns": 3}}')
        return options

    def _size(self) -> tuple[int, int]:
        shown = [quality for quality in Quality if quality is not Quality.AUDIO_ONLY]
        if self.quality not in shown:
            raise BadPreview(f"--quality {self.quality[:40]!r} is no size of a picture; known are {', '.join(shown)}")
        return Quality(self.quality).size

    def _call(self) -> Any:
        if not 0 <= self.guests <= MOST:
            raise BadPreview(f"--guests must be from 0 to {MOST}, not {self.guests}")
        speaking = None if not self.speaker else self.speaker - 1
        return call_of(self.guests, share=self.share, speaking=speaking)
