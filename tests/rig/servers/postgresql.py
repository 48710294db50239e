"""A PostgreSQL cluster of its own, with fsync, and databases made in it within moments."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from tests.rig.servers.server import Server

PASSWORD = "wall of flowers"
"""Not trusted by address: what is tested to be hidden is a password that counts."""


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    inherited = shutil.which("initdb")
    return Path(inherited).resolve().parent if inherited else None


class PostgreSQL(Server):
    name = "postgresql"

    def __init__(self, **settings: str | int) -> None:
        """``settings`` are those of postgresql.conf, such as ``max_connections=10``."""
        super().__init__()
        self._settings = settings
        self._numbers = itertools.count(1)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://wallflower:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    @staticmethod
    def installed() -> bool:
        return _programs() is not None

    def user(self) -> str | None:
        """It refuses to run as root."""
        if os.getuid() != 0:
            return None
        return next((one.pw_name for one in pwd.getpwall() if one.pw_name == "postgres"), "nobody")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on",
            "shared_buffers": "32MB",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._program("postgres"), "-D", str(self._data), "-p", str(self.port), *options]

    def launch(self) -> None:
        if not self._data.exists():
            self._init()
        super().launch()

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
            return True
        except psycopg.OperationalError:
            return False

    def ending_signal(self) -> int:
        return signal.SIGINT  # fast shutdown: sessions are ended, not waited for

    def database(self, template: str = "template1") -> str:
        """Make a database, empty or as its template is; returns its URL."""
        name = f"ledger{next(self._numbers)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        name = url.rpartition("/")[2]
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _program(self, name: str) -> str:
        folder = _programs()
        assert folder is not None, "postgresql is not installed"
        return str(folder / name)

    def _init(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        user = self.user()
        if user is not None:
            for path in (self.folder, password):
                shutil.chown(path, user)
        self.folder.chmod(0o700)
        command = [self._program("initdb"), "-D", str(self._data), "-U", "wallflower", "--auth=scram-sha-256"]
        command += [f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run(command, cwd=self.folder, user=user, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
