"""URLs of web pages, as far as can be told without opening them or asking a name server."""

from __future__ import annotations

from egress.url_guard import Guard, UrlRefused
from workers.refused import BadMessage

_FORM = Guard()


def check_page_url(value: str) -> str:
    """The URL, when its form will do. Raises ValueError."""
    try:
        _FORM.form(value)
    except UrlRefused as error:
        raise ValueError(str(error)) from None
    return value


def check_page_place(guard: Guard, url: str | None, at: str) -> None:
    """Whether it may be opened. What a name stands for is looked at when it is. Raises BadMessage naming ``at``."""
    if not url:
        return
    try:
        checked = guard.form(url)
        if checked.is_address:
            guard.addresses(checked.host, checked.port)
    except UrlRefused as error:
        raise BadMessage(f"{at}: {error}") from None
