"""Stores outside this machine, as operations names them (CreateExternalStorageRequest of the call backends)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from workers.settings.section import Section


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
    bucket: str = Field(min_length=1)
    path: str = ""
    """Folder inside the bucket."""
    aws_s3: S3 = S3()
