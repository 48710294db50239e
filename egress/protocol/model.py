"""The two kinds of models: what must be understood whole, and what may be newer than its reader."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """What is to be made: a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerant(BaseModel):
    """Agent and attendant may be of different versions while a worker is upgraded: what is new to one is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)
