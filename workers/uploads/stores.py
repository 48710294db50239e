"""The stores of the settings, ready to be used."""

from __future__ import annotations

from collections.abc import Callable

from egress.url_guard import Guard, UrlRefused
from storage.local import LocalTarget
from storage.s3 import S3Access, S3Target
from storage.target import StorageError, Target
from workers.settings import Settings
from workers.settings.stores import LOCAL, Store


def targets(settings: Settings) -> dict[str, Target]:
    """Every store by its name. Nothing is connected yet."""
    guard = Guard(settings.guard.schemes, settings.guard.allow_private)
    found: dict[str, Target] = {LOCAL: LocalTarget(settings.recordings, LOCAL)}
    for store in settings.stores:
        found[store.name] = S3Target(store.name, _access(store), _guarded(guard, store.name))
    return found


def _access(store: Store) -> S3Access:
    said = store.aws_s3
    return S3Access(
        bucket=store.bucket,
        region=said.s3_region,
        path=store.path,
        endpoint=said.s3_custom_endpoint_url,
        key=said.s3_api_key.get_secret_value() if said.s3_api_key else None,
        secret=said.s3_secret.get_secret_value() if said.s3_secret else None,
    )


def _guarded(guard: Guard, name: str) -> Callable[[str], None]:
    """Asked before each request: a name may lead elsewhere by then."""

    def check(url: str) -> None:
        try:
            checked = guard.form(url)
            guard.addresses(checked.host, checked.port)
        except UrlRefused as refused:
            text = f"store {name}: s3_custom_endpoint_url may not be used: {refused}"
            raise StorageError(text, hopeless=True) from None
        except OSError:
            raise StorageError(f"store {name}: the host of s3_custom_endpoint_url is not known") from None

    return check
