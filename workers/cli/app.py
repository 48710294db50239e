"""The commands and their options; what they do is in the module of each."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer


class Exit(IntEnum):
    """What a command's exit code means."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4


class CliError(Exception):
    """A command cannot go on. The text is one sentence for people."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


app = typer.Typer(
    name="wallflower",
    help="Records live calls as a guest whom nobody sees.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 failed, 2 bad input or settings, 3 not found, 4 ledger or broker out of reach.",
)
egress_app = typer.Typer(help="What is and was recorded.", no_args_is_help=True)
app.add_typer(egress_app, name="egress")
call_app = typer.Typer(help="Calls, their settings and what runs of them.", no_args_is_help=True)
app.add_typer(call_app, name="call")
events_app = typer.Typer(invoke_without_command=True)
app.add_typer(events_app, name="events")
storage_app = typer.Typer(help="Where files go.", no_args_is_help=True)
app.add_typer(storage_app, name="storage")
layout_app = typer.Typer(help="What recordings look like.", no_args_is_help=True)
app.add_typer(layout_app, name="layout")
key_app = typer.Typer(invoke_without_command=True)
app.add_typer(key_app, name="key")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def worker(
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a worker: take messages, attend calls, deliver files and events. Ends well on SIGTERM."""
    from workers.cli.worker import run

    run(log_level)


@app.command()
def workers(json: Json = False) -> None:
    """List the workers on this ledger: when each was last seen, and what it has."""
    from workers.cli.workers import list_

    list_(json)


@app.command()
def send(
    message: Annotated[
        str | None, typer.Argument(help="A file with the message as JSON, or - for standard input.")
    ] = None,
    json: Annotated[str | None, typer.Option("--json", help="The message itself.")] = None,
    type: Annotated[str | None, typer.Option(help="What message it is, when it has no type.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the answer and print it.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="How many seconds to wait.")] = 10.0,
) -> None:
    """Send a message: an object with "type" and the fields of that message. Prints what became of it as JSON.

    With --wait: exit code 1 when it is refused, 4 when no answer comes in time.
    """
    from workers.cli.send import run

    run(message, json, type, wait, timeout)


@call_app.command("list")
def call_list(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50, json: Json = False) -> None:
    """List calls, the newest first."""
    from workers.cli.call import list_

    list_(limit, json)


@call_app.command("show")
def call_show(cid: str, json: Json = False) -> None:
    """Show what runs of a call (as JSON: the EgressResponse of call backends), and its sessions."""
    from workers.cli.call import show

    show(cid, json)


@call_app.command("settings")
def call_settings(cid: str) -> None:
    """Print the settings that apply to a call, as JSON."""
    from workers.cli.call import settings

    settings(cid)


@app.command()
def schema(
    kind: Annotated[str | None, typer.Argument(help="message, event, settings or layout; all of them without.")] = None,
    name: Annotated[str | None, typer.Argument(help="One of them, such as start_recording.")] = None,
) -> None:
    """Print JSON Schemas (draft 2020-12) of messages, events, settings and the options of layouts."""
    from workers.cli.schema import run

    run(kind, name)


@egress_app.command("list")
def egress_list(
    call: Annotated[str | None, typer.Option(help="Only of this call (type:id).")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only those not over yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """List egresses, the newest first."""
    from workers.cli.egress import list_

    list_(call, live, limit, json)


@egress_app.command("show")
def egress_show(egress_id: str, json: Json = False) -> None:
    """Show one egress with its files."""
    from workers.cli.egress import show

    show(egress_id, json)


@egress_app.command("job")
def egress_job(
    egress_id: str,
    out: Annotated[Path | None, typer.Option(help="Write it to this file, for its owner alone.")] = None,
) -> None:
    """Print an egress as the job file of an attendant run by hand, its secrets sealed with the worker's key."""
    from workers.cli.job import run

    run(egress_id, out)


@egress_app.command("stop")
def egress_stop(egress_id: str, json: Json = False) -> None:
    """Stop one egress."""
    from workers.cli.egress import stop

    stop(egress_id, json)


@events_app.callback()
def events(
    context: typer.Context,
    call: Annotated[str | None, typer.Option(help="Only of this call (type:id).")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens next.")] = False,
    json: Json = False,
) -> None:
    """Show events as the ledger has them, and those that could not be delivered."""
    if context.invoked_subcommand is None:
        from workers.cli.events import run

        run(call, follow, json)


@events_app.command("dead")
def events_dead(
    sink: Annotated[str | None, typer.Option(help="Only of this sink.")] = None,
    call: Annotated[str | None, typer.Option(help="Only of this call (type:id).")] = None,
    json: Json = False,
) -> None:
    """List dead letters: events that a sink would not take, and why."""
    from workers.cli.dead_letters import list_

    list_(sink, call, json)


@events_app.command("replay")
def events_replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Numbers of dead letters, or ids of their events.")] = None,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    sink: Annotated[str | None, typer.Option(help="All of this sink.")] = None,
    to: Annotated[str | None, typer.Option(help="Send them to this sink instead.")] = None,
) -> None:
    """Send dead letters again, with the ids that they had."""
    from workers.cli.dead_letters import replay

    replay(ids or [], all, sink, to)


@storage_app.command("list")
def storage_list(json: Json = False) -> None:
    """List the stores of the settings."""
    from workers.cli.storage import list_

    list_(json)


@storage_app.command("check")
def storage_check(
    name: Annotated[str | None, typer.Argument(help="The store; without it, the default one.")] = None,
    json: Json = False,
) -> None:
    """Write a small file, wallflower-<uuid>.md, to a store. Exit code 1 when that fails."""
    from workers.cli.storage import check

    check(name, json)


@layout_app.command("preview")
def layout_preview(
    layout: Annotated[str, typer.Argument(help="grid, spotlight, single-participant, or another name of them.")],
    options: Annotated[str, typer.Option(help="Its options as JSON, or @FILE.")] = "{}",
    guests: Annotated[int, typer.Option(help="How many guests there are.")] = 5,
    share: Annotated[bool, typer.Option("--share/--no-share", help="Whether the first one shares a screen.")] = False,
    speaker: Annotated[int, typer.Option(help="Which guest speaks; 0 for none.")] = 2,
    quality: Annotated[str, typer.Option(help="The canvas, such as 1080p or portrait-720x1280.")] = "720p",
    css: Annotated[str | None, typer.Option(help="A style sheet: its URL, or a file.")] = None,
    out: Annotated[Path, typer.Option(help="The picture to write (PNG).")] = Path("layout.png"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it on a page of this machine that follows the files instead.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of that page; 0 takes any that is free.")] = 0,
) -> None:
    """Draw a layout as it would be recorded, with guests that are not there: no call is needed."""
    from workers.cli import layout as commands
    from workers.preview.asked import Asked

    asked = Asked(layout, options, guests, share, quality, speaker or None, css)
    if serve:
        commands.serve(asked, port)
    else:
        commands.preview(asked, out)


@app.command()
def uploads(json: Json = False) -> None:
    """List files that are not delivered yet, with what was sent of them and why not more."""
    from workers.cli.uploads import run

    run(json)


@key_app.callback()
def key(context: typer.Context) -> None:
    """Print a new key for secrets.keys; rotate seals everything in the ledger anew with the first key there."""
    if context.invoked_subcommand is None:
        from workers.cli.key import new

        new()


@key_app.command("rotate")
def key_rotate(json: Json = False) -> None:
    """Seal every secret in the ledger anew with the first of secrets.keys; the others are not needed after it."""
    from workers.cli.key import rotate

    rotate(json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check what is installed, reachable and writable. Exit code 1 when something needed is broken."""
    from workers.cli.doctor import run

    run(json)


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to record.")] = 15.0,
    out: Annotated[Path, typer.Option(help="Folder for everything that comes of it.")] = Path("demo-out"),
) -> None:
    """Record a call of three guests inside this machine, from a message to a stored file and a page to look at."""
    from workers.cli.demo import run

    run(seconds, out)


def main() -> None:
    """The console script. Errors are one sentence on standard error, never a traceback."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has enough of it; the interpreter must not try to write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    from workers.ledger.database import LedgerError, LedgerUnavailable
    from workers.refused import Refused
    from workers.settings import SettingsError

    name = type(error).__name__
    if isinstance(error, CliError):
        code = error.code
    elif isinstance(error, SettingsError):
        code = Exit.BAD_INPUT
    elif isinstance(error, Refused):
        code = {400: Exit.BAD_INPUT, 404: Exit.NOT_FOUND}.get(error.code, Exit.FAILED)
    elif isinstance(error, LedgerUnavailable) or name == "BrokerError":
        code = Exit.UNAVAILABLE
    elif isinstance(error, (LedgerError, OSError)) or name == "AlreadyRunning":
        code = Exit.FAILED
    else:
        import logging

        logging.getLogger(__name__).debug("unexpected", exc_info=error)
        print(f"wallflower: unexpected {name}: {error}", file=sys.stderr)
        return Exit.FAILED
    print(f"wallflower: {error}", file=sys.stderr)
    return code
