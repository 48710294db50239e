"""Finds a Chromium and starts it under Playwright: sandboxed where the kernel allows it, in a folder of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from egress.browser.children import User, environment, kill_script, private_folder, tied, tied_script, user_below_root

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Playwright

log = logging.getLogger(__name__)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=en-US",
)
"""What any page needs that nobody sits in front of."""
START_TIMEOUT = 30.0
_CAP_SYS_ADMIN = 21


class BrowserMissing(Exception):
    """There is no browser to be used here. The text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Chromium:
    """A browser of this machine, and how it may be run."""

    executable: Path
    user: User | None
    """Whom it runs as when we are root."""
    unsandboxed: str
    """Why its sandbox is off; empty when it is on."""


@cache
def chromium() -> Chromium:
    """The browser of this machine, looked for once. Blocks a moment the first time. Raises BrowserMissing."""
    executable = _executable()
    user = user_below_root()
    try:
        reason = _why_no_sandbox(executable, user)
    except FileNotFoundError as error:
        raise BrowserMissing(f"Chromium cannot be run: {error}") from None
    if reason:
        log.warning("the sandbox of %s is off: %s", executable, reason)
    return Chromium(executable, user, reason)


async def open_browser(
    playwright: Playwright,
    folder: Path,
    *,
    size: tuple[int, int],
    headless: bool,
    flags: Sequence[str] = (),
    more_environment: Mapping[str, str] | None = None,
) -> BrowserContext:
    """Start a browser whose user data, scratch files and home are in ``folder``, and which dies with its parent.

    The folder is one that another user can reach (in the system's scratch folder, not in a private one). ``size`` is
    that of its pages, in pixels. Whoever gets the context closes it. Nothing of our environment goes to the
    browser but languages and fonts. Raises BrowserMissing, or Playwright's errors.
    """
    found = await asyncio.to_thread(chromium)
    private_folder(folder, found.user)
    data = private_folder(folder / "profile", found.user)
    try:
        return await playwright.chromium.launch_persistent_context(
            str(data),
            executable_path=str(tied_script(folder, found.executable, found.user)),
            headless=headless,
            chromium_sandbox=not found.unsandboxed,
            args=[*FLAGS, *flags],
            # No bar that tells of a program in charge, no muted sound.
            ignore_default_args=["--enable-automation", "--mute-audio"],
            env={**environment(folder), **(more_environment or {})},
            viewport={"width": size[0], "height": size[1]} if headless else None,
            no_viewport=None if headless else True,
            accept_downloads=False,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            timeout=START_TIMEOUT * 1000,
        )
    except FileNotFoundError as error:
        raise BrowserMissing(f"Chromium cannot be run: {error}") from None


def kill_browser(folder: Path) -> None:
    """Make sure that the browser which :func:`open_browser` started in that folder is gone."""
    kill_script(folder / chromium().executable.name)


def _executable() -> Path:
    for program in PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    for folder in _playwright_folders():
        for found_path in sorted(folder.glob("chromium-*/chrome-linux*/chrome"), reverse=True):
            return found_path
    raise BrowserMissing(
        "no Chromium is installed (Debian: apt install chromium; elsewhere: python -m playwright install chromium)"
    )


def _playwright_folders() -> list[Path]:
    told = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    return [Path(told)] if told else [Path.home() / ".cache/ms-playwright"]


def _why_no_sandbox(executable: Path, user: User | None) -> str:
    """Why a sandbox cannot be had; empty when it can. Raises FileNotFoundError when children cannot be tied."""
    helper = executable.resolve().with_name("chrome-sandbox")
    debian = Path("/usr/lib/chromium/chrome-sandbox")
    # As those who run it will, with a parent that waits for it.
    probe = tied(["unshare", "--user", "--map-root-user", "--pid", "--net", "--fork", "true"], user)
    if os.geteuid() == 0 and user is None:
        return "it runs as root, and there is no user 'nobody' to run it as"
    if _helper_works() and any(path.exists() and path.stat().st_mode & 0o4000 for path in (helper, debian)):
        return ""
    try:
        done = subprocess.run(probe, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"whether the kernel allows user namespaces could not be found out: {error}"
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"the kernel gives no user namespaces to us ({said[-1][:200] if said else 'refused'})"
    return ""


def _helper_works() -> bool:
    """Whether a helper that runs as root may do what it is for: in a container it mostly may not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    allowed = int(status.get("CapBnd", "0"), 16)
    return bool(allowed >> _CAP_SYS_ADMIN & 1) and status.get("NoNewPrivs", "0").strip() == "0"
