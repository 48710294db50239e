"""The keys that seal secrets: those of the settings, else a key file in the data folder."""

from __future__ import annotations

import contextlib
import os

from egress.sealing import Keyring, SealError, new_key
from workers.settings import Settings, SettingsError

KEY_FILE = "secret.key"


def keyring(settings: Settings) -> Keyring:
    """The keys to use. Raises SettingsError when there are none that every host would have."""
    keys = [key.get_secret_value() for key in settings.secrets.keys]
    if not keys:
        if not settings.ledger_url.startswith("sqlite"):
            raise SettingsError(
                "settings: secrets.keys: a ledger that hosts share needs a Fernet key that they share; "
                "wallflower key prints a new one"
            )
        keys = [_kept(settings)]
    try:
        return Keyring(keys)
    except SealError as error:
        raise SettingsError(f"settings: secrets.keys: {error}") from None


def _kept(settings: Settings) -> str:
    """The key of the data folder, made when there is none: as private as the ledger beside it."""
    path = settings.data_dir.absolute() / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # Whole or not at all, also when two programs begin at once: a link never replaces what is there.
        fresh = path.with_name(f".{KEY_FILE}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, new_key().encode())
        finally:
            os.close(descriptor)
        try:
            path.hardlink_to(fresh)
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_text().strip()
