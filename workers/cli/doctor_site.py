"""The doctor's checks of what the settings name: ledger, keys, broker, spool, stores, projects, hooks, attendants."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import select

from egress.call.connector import ConnectorError, connector
from workers.cli.doctor import Broken, Lacking
from workers.keyring import KEY_FILE, keyring
from workers.ledger.database import HEAD, Ledger
from workers.settings import Settings
from workers.settings.hooks import Webhook

SPEECH_LOADS = 300.0
"""Seconds in which a speech engine must have loaded its model; fetching one takes long."""
MOST_APART = 2.0
"""Seconds between this host's clock and the database's."""


def checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and check, in the order in which they are told."""
    from workers.uploads.stores import targets

    yield "ledger", partial(_ledger, settings)
    yield "clock", partial(_clock, settings)
    yield "keys", partial(_keys, settings)
    yield "broker", partial(_broker, settings)
    yield "spool", partial(_spool, settings)
    for name in targets(settings):
        yield f"store {name}", partial(_store, settings, name)
    for name in settings.projects:
        yield f"project {name}", partial(_project, settings, name)
    for number, hook in enumerate(settings.events.webhooks, 1):
        yield f"hook {hook.name or number}", partial(_hook, settings, hook)
    if settings.speech.model is not None:
        yield "speech", partial(_speech, settings)
    yield "cores", partial(_cores, settings)
    yield "attendants", partial(_attendants, settings)
    yield "ice", partial(_ice, settings)


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    """The ledger as it is: a look must not migrate it."""
    ledger = Ledger(settings.ledger_url, keyring(settings), settings.ledger.busy_timeout)
    try:
        yield ledger
    finally:
        ledger.close()


def _ledger(settings: Settings) -> str:
    with _opened(settings) as ledger:
        version = ledger.version()
        if version is None:
            return f"{ledger.shown_url} is empty; the next worker sets it up"
        if version > HEAD:
            raise Broken(f"{ledger.shown_url} stands at {version}, which a newer program made; this one knows {HEAD}")
        if version != HEAD:
            return f"{ledger.shown_url} stands at {version}; the next worker brings it to {HEAD}"
        return f"{ledger.shown_url} at {HEAD}"


def _clock(settings: Settings) -> str:
    from workers.ledger import clock

    with _opened(settings) as ledger:
        began = time.monotonic()
        theirs = ledger.read(clock.now)
        took = time.monotonic() - began
        apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > MOST_APART + took:
        raise Lacking(f"this host's clock and the database's are {apart:.0f} s apart; let both follow NTP")
    return f"{apart:.2f} s from the database's"


def _keys(settings: Settings) -> str:
    from workers.ledger.tables import CallSession

    with _opened(settings) as ledger:
        if ledger.version() == HEAD:
            ledger.read(lambda tx: tx.execute(select(CallSession.connector).limit(1)).all())
    if settings.secrets.keys:
        return f"{len(settings.secrets.keys)} in secrets.keys; the first one seals"
    path = settings.data_dir.absolute() / KEY_FILE
    if path.stat().st_mode & 0o077:
        raise Broken(f"{path} can be read by others (chmod 600)")
    return f"the one in {path}"


def _broker(settings: Settings) -> str:
    from workers.broker import embedded, reachable, shown_url

    reachable(settings)
    return "inside the process" if embedded(settings) else f"{shown_url(settings)} answers"


def _spool(settings: Settings) -> str:
    settings.spools.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=settings.spools):
        free = shutil.disk_usage(settings.spools).free
    if free < settings.spool.min_free:
        raise Broken(f"{settings.spools} has {free // 10**6} MB free, less than spool.min_free")
    if settings.spools.stat().st_mode & 0o077:
        raise Lacking(f"{settings.spools} can be looked into by others (chmod 700)")
    return f"{settings.spools} is writable, {free / 1e9:.1f} GB free"


def _store(settings: Settings, name: str) -> str:
    """Writes a small file, as ``wallflower storage check`` does."""
    from workers.uploads.stores import targets

    where = targets(settings)[name].check()
    return f"{settings.recordings} is writable" if name == "local" else f"files can be written; {where} was"


def _project(settings: Settings, name: str) -> str:
    """Asks its server one question, where the connector has one that concerns no room."""
    project = settings.projects[name]
    check = getattr(connector(project["type"]), "check", None)
    if check is None:
        return f"a server of the connector {project['type']}; it is asked when a room of it is watched or attended"
    try:
        return str(asyncio.run(check(project)))
    except (ConnectorError, OSError) as error:
        raise Broken(str(error)) from None


def _hook(settings: Settings, hook: Webhook) -> str:
    """Nothing is sent: the guard alone looks at the address, and at what its name stands for."""
    from workers.guard import guard_of

    checked, addresses = guard_of(settings).check(hook.url.get_secret_value(), credentials=True)
    if checked.shown.startswith("http:"):
        raise Lacking(f"{checked.shown} may be spoken to, but everybody on the way can read what is said (http)")
    return f"{checked.shown} may be spoken to ({', '.join(str(address) for address in addresses)})"


def _cores(settings: Settings) -> str:
    from workers.capacity import COMPOSITE

    there = len(os.sched_getaffinity(0))
    allowed = settings.agent.cpus or float(os.cpu_count() or 1)
    if allowed > there:
        raise Lacking(f"{allowed:g} cores may be taken (agent.cpus), but only {there} are there")
    many = min(int(allowed / COMPOSITE), settings.attendants.max)
    if many < 1:
        raise Lacking(f"{allowed:g} cores are less than one recording of 720p takes ({COMPOSITE:g})")
    return f"{allowed:g} of {there}: {many} recordings of 720p at once"


def _attendants(settings: Settings) -> str:
    command = settings.attendants.command
    if shutil.which(command[0]) is None:
        raise Broken(f"attendants.command names {command[0]}, which cannot be run")
    return " ".join(command)


def _ice(settings: Settings) -> str:
    from workers.worker import ice_settings

    found = ice_settings(settings)
    return ", ".join(found.networks) if found.networks else "every address but loopback"


def _speech(settings: Settings) -> str:
    """Whether the engine can be loaded as it is set, which is tried."""
    from egress.speech.contract import SpeechError
    from egress.speech.supervisor import EngineSupervisor, check
    from workers.speech_engine import engine_settings

    wanted = engine_settings(settings)
    assert wanted is not None

    async def load(folder: Path) -> None:
        supervisor = EngineSupervisor(wanted, folder)
        try:
            await supervisor.ensure(SPEECH_LOADS)
        finally:
            await supervisor.close()

    try:
        check(wanted)
        with tempfile.TemporaryDirectory(prefix="wallflower-doctor-") as folder:
            asyncio.run(load(Path(folder)))
    except SpeechError as error:
        raise Broken(error.message) from None
    return f"{wanted.engine} loads {wanted.model} ({wanted.compute_type} on {wanted.device})"
