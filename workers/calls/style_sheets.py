"""URLs of style sheets for layouts, as far as can be told without asking a name server."""

from __future__ import annotations

from egress.protocol.recordings import LayoutSettings
from egress.url_guard import Guard, UrlRefused
from workers.refused import BadMessage
from workers.sentences import At

FIELD = "external_css_url"
_FORM = Guard()


def check_form(layout: LayoutSettings) -> None:
    """Whether the layout's style sheet is at a URL at all. Raises At."""
    if layout.external_css_url:
        try:
            _FORM.form(layout.external_css_url)
        except UrlRefused as error:
            raise At(FIELD, str(error)) from None


def check_place(guard: Guard, layout: LayoutSettings, at: str = "recording.layout") -> None:
    """Whether it may be fetched from there. What a name stands for is looked at when it is. Raises BadMessage."""
    if not layout.external_css_url:
        return
    try:
        checked = guard.form(layout.external_css_url)
        if checked.is_address:
            guard.addresses(checked.host, checked.port)
    except UrlRefused as error:
        raise BadMessage(f"{at}.{FIELD}: {error}") from None
