"""A server of pictures on 127.0.0.1: what it answers is for the test to say."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Told:
    """An answer: its status, what is sent, and after how many seconds."""

    content: bytes = b""
    status: int = 200
    after: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class PictureServer:
    """Serves ``answers`` by path; each path may have several, of which the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Told]] = {}
        self.asked: list[str] = []
        pictures = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pictures.asked.append(self.path)
                waiting = pictures.answers.get(self.path.partition("?")[0], [Told(status=404)])
                told = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                time.sleep(told.after)
                try:
                    self.send_response(told.status)
                    for name, value in {"Content-Length": str(len(told.content)), **told.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(told.content)
                except OSError:
                    pass  # whoever asked has gone

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> PictureServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
