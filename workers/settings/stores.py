"""Stores outside this machine, as operations names them (CreateExternalStorageRequest of the call backends)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from workers.settings.section import Section

LOCAL = "local"
"""The store that is always there: a folder of this machine."""


class S3(Section):
    """Access to S3 or what is compatible with it. Without keys, the machine's role is used, as boto3 finds it."""

    s3_region: str = "us-east-1"
    s3_api_key: SecretStr | None = None
    s3_secret: SecretStr | None = None
    s3_custom_endpoint_url: str | None = None

    @model_validator(mode="after")
    def _keys(self) -> S3:
        if (self.s3_api_key is None) != (self.s3_secret is None):
            raise ValueError("s3_api_key and s3_secret belong together")
        if self.s3_custom_endpoint_url is not None and self.s3_api_key is None:
            raise ValueError("s3_custom_endpoint_url needs s3_api_key and s3_secret")
        return self


class Store(Section):
    """One store. Its name is what messages say in ``recording_external_storage``."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    storage_type: Literal["s3"]
    bucket: str = Field(pattern=r"^[A-Za-z0-9._:/-]{1,255}$")
    path: str = Field(default="", max_length=512)
    """Folder inside the bucket."""
    aws_s3: S3 = S3()

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        if any(part in (".", "..") for part in value.split("/")) or not value.isprintable() or "//" in value:
            raise ValueError("path must be a folder such as recordings/2025/, without '.', '..' and empty names")
        return value


def check_names(default: str, stores: Sequence[Store]) -> None:
    """Raise ValueError unless every store has a name of its own and the default is one of them."""
    names = [LOCAL]
    for store in stores:
        if store.name == LOCAL:
            raise ValueError(f"stores: the name {LOCAL!r} is that of the folder on this machine; choose another one")
        if store.name in names:
            raise ValueError(f"stores: two stores have the name {store.name!r}")
        names.append(store.name)
    if default not in names:
        raise ValueError(f"storage.default: there is no store {default!r}; known are {', '.join(names)}")
