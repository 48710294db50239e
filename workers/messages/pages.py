"""What messages say of web pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from egress.url_guard import LONGEST
from workers.calls.pages import check_page_url

PageUrl = Annotated[
    str, AfterValidator(check_page_url), WithJsonSchema({"type": "string", "format": "uri", "maxLength": LONGEST})
]


class App(BaseModel):
    """What an app is told beside the call and its layout: by its query string, and by ``window.setupLayout``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    token: str | None = Field(default=None, min_length=1, max_length=8192)
    """What lets it join. Without one it is made where the connector can: on LiveKit, from the API key."""
    url: str | None = Field(default=None, min_length=1, max_length=2048)
    """Where it joins; without it, on LiveKit, the server of the room."""
    api_key: str | None = Field(default=None, min_length=1, max_length=256)
    user_id: str | None = Field(default=None, min_length=1, max_length=256)
    base_url: str | None = Field(default=None, min_length=1, max_length=2048)
    screenshare_layout: str | None = Field(default=None, min_length=1, max_length=64)
    """The layout while somebody shares a screen."""
    await_start_signal: bool = False
    """Record nothing before it says that it is ready. Else it is recorded 4 s after it loaded at the latest."""
