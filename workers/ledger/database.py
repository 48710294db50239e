"""The ledger's database: transactions that read and transactions that write, on SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from egress.sealing import Keyring
from workers.ledger import sealed
from workers.ledger.engines import engine_for, migrator_of, with_driver, writer_of
from workers.ledger.failures import LedgerConflict, LedgerError, LedgerUnavailable, meaning
from workers.observing import metrics

__all__ = ["HEAD", "TELLS", "Ledger", "LedgerConflict", "LedgerError", "LedgerUnavailable"]

HEAD = "0005"
"""The migration that this code is written for."""

log = logging.getLogger(__name__)

T = TypeVar("T")

TELLS = "tells"
"""In ``info`` of a transaction that adds events."""
_CONFLICT_PATIENCE = 10.0
"""Seconds for which a transaction that met others is run again."""
_TURN = 30.0
"""Seconds for which a transaction that writes waits for those of the same process."""
_MIGRATING = 0x57616C6C
"""PostgreSQL's advisory lock of those that migrate."""


class Ledger:
    """Give transactions on one database. Safe to use from many threads."""

    def __init__(self, url: str, keyring: Keyring, busy_timeout: float = 5.0) -> None:
        try:
            self.url = with_driver(make_url(url))
        except ArgumentError:
            raise LedgerError("ledger.url is no database URL such as sqlite:///file or postgresql://…") from None
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            # It holds who met whom and when: its owner's business alone.
            Path(self.url.database).touch(mode=0o600)
        try:
            self.engine = engine_for(self.url, busy_timeout)
        except (ImportError, ArgumentError) as error:
            raise LedgerError(f"ledger.url: no driver for {self.url.drivername} ({error})") from None
        sealed.use(self.engine.dialect, keyring)
        self._writer = writer_of(self.engine)
        # Writers of one process take turns: at once they would only be in each other's way.
        self._turn = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that sees one moment."""
        with self._guarded(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def writing(self, *, urgent: bool = False) -> Iterator[Session]:
        """One transaction: all of it is written at the end, or nothing. An urgent one waits for no other of this
        process. Raises LedgerConflict where :meth:`write` would run it again.
        """
        with (
            contextlib.nullcontext() if urgent else self._in_turn(),
            self._guarded(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
        if session.info.get(TELLS):
            for listener in tuple(self._listeners):
                listener()

    def listen(self, on_events: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_events``, on any thread, when events were written through this object; returns what ends that."""
        self._listeners.append(on_events)
        return lambda: self._listeners.remove(on_events)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN):
            raise LedgerUnavailable(f"the ledger {self.shown_url} is busy: another transaction does not end")
        try:
            yield
        finally:
            self._turn.release()

    def read(self, function: Callable[[Session], T]) -> T:
        with self.reading() as tx:
            return function(tx)

    def write(self, function: Callable[[Session], T], *, urgent: bool = False) -> T:
        """Run a function in a transaction that writes, again when it met another one: only its last run counts."""
        deadline = time.monotonic() + _CONFLICT_PATIENCE
        pause = 0.002
        while True:
            try:
                with self.writing(urgent=urgent) as tx:
                    return function(tx)
            except LedgerConflict as error:
                metrics.LEDGER_CONFLICTS.inc()
                if time.monotonic() > deadline:
                    # Nobody else inserts the same for so long: it is a fault, and no repetition will help.
                    raise error.__cause__ if isinstance(error.__cause__, IntegrityError) else error from None
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, 0.1)

    def version(self) -> str | None:
        """The migration that the database stands at; None for an empty one."""
        with self._guarded(), self.engine.connect() as connection:
            return self._version(connection)

    def _version(self, connection: Connection) -> str | None:
        if not self.engine.dialect.has_table(connection, "alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return str(found) if found is not None else None

    def upgrade(self) -> None:
        """Bring the database to the schema of this code; nothing happens when it is there. Raises LedgerError."""
        before = self.version()
        if before == HEAD:
            return
        if before is not None and before > HEAD:
            raise LedgerError(
                f"the ledger {self.shown_url} stands at {before}, which a newer program made; this one knows {HEAD}"
            )
        from workers.ledger.upgrade import upgrade

        with self._guarded(), migrator_of(self.engine).begin() as connection:
            # Of several that begin at once one migrates, and the others find it done.
            if not self._sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            upgrade(connection)
            if self._sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                raise LedgerError(f"the ledger {self.shown_url} cannot be migrated: a row of {broken[0]} is an orphan")
        self.engine.dispose()
        if self._sqlite and before is not None:
            self._forget_clear_text()

    def _forget_clear_text(self) -> None:
        """What a migration sealed stands in pages that are free now, and in the write-ahead log: overwrite both."""
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        except sqlite3.OperationalError as error:
            log.warning("the ledger could not be vacuumed (%s); run VACUUM on it by hand, old secrets are in it", error)
        finally:
            connection.close()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            known = meaning(error, self.shown_url)
            if known is None:
                raise
            if not isinstance(known, LedgerConflict):
                metrics.LEDGER_ERRORS.inc()
            raise known from error
