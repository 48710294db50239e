"""``wallflower layout preview``: what a layout looks like, without a call."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from layouts.options import LayoutError
from workers.cli.app import CliError, Exit
from workers.guard import rules_of
from workers.preview.asked import Asked, BadPreview
from workers.preview.page import PreviewPage
from workers.preview.picture import Seen, png, see
from workers.settings import load


def preview(asked: Asked, out: Path) -> None:
    """Write one picture."""
    try:
        seen = _see(asked)
    except (BadPreview, LayoutError, OSError) as error:
        raise CliError(Exit.BAD_INPUT, str(error)) from None
    try:
        out.write_bytes(png(seen.rgb))
    except OSError as error:
        raise CliError(Exit.FAILED, f"{out} cannot be written: {error.strerror}") from None
    print(f"{out} ({seen.rgb.shape[1]}×{seen.rgb.shape[0]})")


def serve(asked: Asked, port: int) -> None:
    """Show it on a page until interrupted."""
    try:
        asked.wanted()
    except BadPreview as error:
        raise CliError(Exit.BAD_INPUT, str(error)) from None
    try:
        page = PreviewPage(asked, lambda: png(_see(asked).rgb), port)
    except OSError as error:
        raise CliError(Exit.FAILED, f"port {port} cannot be served: {error.strerror}") from None
    print(f"{page.url} shows the layout, and again whenever its files change; Ctrl+C ends it", flush=True)
    page.run()


def _see(asked: Asked) -> Seen:
    seen = asyncio.run(see(asked.wanted(), rules_of(load())))
    for missing in seen.missing:
        print(f"wallflower: not shown: {missing}", file=sys.stderr)
    return seen
