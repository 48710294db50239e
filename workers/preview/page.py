"""A page of this machine that shows a layout, and shows it again when its options or its style sheet change."""

from __future__ import annotations

import hashlib
import html
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from workers.preview.asked import Asked

ADDRESS = "127.0.0.1"
"""Nobody else's machine has a say in what this one draws."""

Draw = Callable[[], bytes]
"""The PNG of what is asked for now. Raises an exception whose text says why there is none."""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ margin: 0; background: #26282c; color: #e8e8e8; font: 15px/1.5 system-ui, sans-serif; text-align: center }}
img {{ max-width: 96vw; max-height: 88vh; margin: 2vh auto 0; display: block; box-shadow: 0 2px 24px #000 }}
p {{ margin: 1vh 2vw; white-space: pre-wrap }} .wrong {{ color: #ff9d8a }}
</style>
<img alt="{title}"><p></p>
<script>
const image = document.querySelector("img"), text = document.querySelector("p");
let shown = "";
async function look() {{
  try {{
    const state = await (await fetch("/state")).json();
    if (state.version !== shown) {{
      const answer = await fetch("/picture.png?" + state.version);
      shown = state.version;
      if (answer.ok) {{
        const old = image.src;
        image.src = URL.createObjectURL(await answer.blob());
        if (old) URL.revokeObjectURL(old);
      }}
      text.className = answer.ok ? "" : "wrong";
      text.textContent = answer.ok ? "" : await answer.text();
    }}
  }} catch {{ text.className = "wrong"; text.textContent = "the preview has ended"; }}
  setTimeout(look, 300);
}}
look();
</script></html>
"""


class PreviewPage:
    """Serves the page until ``close``. ``port`` 0 takes any that is free."""

    def __init__(self, asked: Asked, draw: Draw, port: int = 0) -> None:
        self._asked = asked
        self._draw = draw
        self._drawing = threading.Lock()
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A page elsewhere whose name leads here must not see what is drawn.
                if self.headers.get("Host", "") not in page.hosts:
                    self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"")
                    return
                self._answer(*page.answer(urlsplit(self.path).path))

            def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((ADDRESS, port), Handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}/"

    @property
    def hosts(self) -> tuple[str, str]:
        return f"{ADDRESS}:{self.port}", f"localhost:{self.port}"

    def run(self) -> None:
        """Serve until it is closed."""
        try:
            self._server.serve_forever(0.1)
        finally:
            self._server.server_close()

    def close(self) -> None:
        """End ``run``, from another thread."""
        self._server.shutdown()

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, media type and content for a path."""
        if path == "/":
            title = html.escape(f"Layout {self._asked.layout}")
            return HTTPStatus.OK, "text/html; charset=utf-8", _PAGE.format(title=title).encode()
        if path == "/state":
            return HTTPStatus.OK, "application/json", json.dumps({"version": self._version()}).encode()
        if path == "/picture.png":
            try:
                with self._drawing:
                    return HTTPStatus.OK, "image/png", self._draw()
            except Exception as error:  # whatever is wrong with the files is what the page is to tell
                return HTTPStatus.UNPROCESSABLE_ENTITY, "text/plain; charset=utf-8", str(error).encode()
        return HTTPStatus.NOT_FOUND, "text/plain", b""

    def _version(self) -> str:
        """Another text when one of the files has changed."""
        state = hashlib.sha256()
        for file in self._asked.files:
            try:
                state.update(file.read_bytes())
            except OSError as error:
                state.update(str(error.errno).encode())
            state.update(b"\0")
        return state.hexdigest()[:16]
