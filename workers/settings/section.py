"""What all sections of the settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown names are refused; nothing changes while a worker runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
