"""Health, readiness and metrics over HTTP: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from workers.ledger.database import Ledger
from workers.observing import metrics
from workers.observing.measured import Gauges
from workers.observing.vitals import Vitals
from workers.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class _Counters(Collector):
    """The counters of the process, beside what is measured for one worker."""

    def collect(self) -> Iterable[Metric]:
        return metrics.REGISTRY.collect()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], vitals: Vitals, registry: CollectorRegistry) -> None:
        self.vitals, self.registry = vitals, registry
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request was not answered", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "wallflower"
    sys_version = ""
    timeout = 10.0

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/healthz":
            check = self.server.vitals.alive()
            self._json(200 if check.ok else 503, {"alive": check.ok, "text": check.text})
        elif path == "/readyz":
            checks = self.server.vitals.ready()
            ready = all(check.ok for check in checks.values())
            reasons = [f"{name}: {check.text}" for name, check in checks.items() if not check.ok]
            told = {name: {"ok": check.ok, "text": check.text} for name, check in checks.items()}
            self._json(200 if ready else 503, {"ready": ready, "reasons": reasons, "checks": told})
        elif path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._send(200, content_type, encode(self.server.registry))
        else:
            self._json(404, {"error": "known are /healthz, /readyz, /metrics"})

    def _json(self, status: int, said: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(said).encode() + b"\n")

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.address_string(), format % args)


@contextmanager
def serving(settings: Settings, ledger: Ledger, vitals: Vitals) -> Iterator[int | None]:
    """Serve for as long as the block lasts; gives the port, or None where ``http.port`` asks for nothing.

    Raises SettingsError when the port cannot be had.
    """
    if settings.http.port is None:
        yield None
        return
    registry = CollectorRegistry()
    registry.register(_Counters())
    registry.register(Gauges(ledger, settings, vitals))
    address = (settings.http.host, settings.http.port)
    try:
        server = _Server(address, vitals, registry)
    except OSError as error:
        where = f"{settings.http.host}:{settings.http.port}"
        raise SettingsError(f"settings: http.port: {where} cannot be listened on: {error.strerror}") from None
    port = int(server.server_address[1])
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True),
        threading.Thread(target=vitals.look, name="looks", daemon=True),
    ]
    for thread in threads:
        thread.start()
    log.info("health and metrics at http://%s:%d", settings.http.host, port)
    try:
        yield port
    finally:
        vitals.end()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join(5.0)
