"""Style sheets that are files: served to the browser of a preview, with the pictures and fonts beside them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

ADDRESS = "127.0.0.1"


@contextmanager
def served(style_sheet: Path) -> Iterator[str]:
    """The URL of a file, and of what lies in its folder, while the block runs. Raises OSError."""
    style_sheet = style_sheet.absolute()
    with style_sheet.open("rb"):
        pass
    # Whoever else is on this machine does not know the way.
    way = f"/{secrets.token_urlsafe(16)}"

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            inside = path.removeprefix(way)
            return super().translate_path(inside) if inside != path else "/nowhere"

        def list_directory(self, path: object) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((ADDRESS, 0), partial(Handler, directory=str(style_sheet.parent)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{ADDRESS}:{server.server_address[1]}{way}/{quote(style_sheet.name)}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
