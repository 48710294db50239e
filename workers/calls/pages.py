"""URLs of web pages, as far as can be told without opening them."""

from __future__ import annotations

from egress.url_guard import Guard, UrlRefused

_FORM = Guard()


def check_page_url(value: str) -> str:
    """The URL, when its form will do; where it leads is looked at when it is opened. Raises ValueError."""
    try:
        _FORM.form(value)
    except UrlRefused as error:
        raise ValueError(str(error)) from None
    return value
