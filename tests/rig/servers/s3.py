"""S3 servers: versitygw, which keeps objects as files and so lives through kill -9, moto's, which forgets, and MinIO,
which puts large uploads together without copying them.
"""

from __future__ import annotations

import errno
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.rig.servers.built import binary
from tests.rig.servers.server import Server

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class S3Server(Server):
    """What both have in common: one key, one region, and a client that may do everything."""

    access_key = "tests"
    secret_key = "tests-secret-key"
    region = "us-east-1"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/", timeout=2):
                return True
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code < 500
        except OSError:
            return False

    def client(self) -> S3Client:
        """For looking at what arrived; the product has a client of its own."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}),
        )

    def make_bucket(self, name: str = "recordings") -> str:
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()
        return name

    def store(
        self, name: str = "s3", bucket: str = "recordings", path: str = "", url: str | None = None
    ) -> dict[str, Any]:
        """What the settings say of it; ``url`` puts something in between."""
        access = {
            "s3_region": self.region,
            "s3_api_key": self.access_key,
            "s3_secret": self.secret_key,
            "s3_custom_endpoint_url": url or self.url,
        }
        return {"name": name, "storage_type": "s3", "bucket": bucket, "path": path, "aws_s3": access}

    def keys(self, bucket: str = "recordings") -> list[str]:
        client = self.client()
        try:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            return sorted(one["Key"] for page in pages for one in page.get("Contents", []))
        finally:
            client.close()

    def read(self, key: str, bucket: str = "recordings") -> bytes:
        client = self.client()
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()
        finally:
            client.close()

    def open_uploads(self, bucket: str = "recordings") -> list[str]:
        """Keys of uploads that were begun and neither completed nor given up."""
        client = self.client()
        try:
            found = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
            return sorted(one["Key"] for one in found)
        finally:
            client.close()


class VersityGateway(S3Server):
    name = "versitygw"

    @property
    def data(self) -> Path:
        """A folder per bucket, a file per object."""
        return self.folder / "data"

    def command(self) -> list[str]:
        self.data.mkdir(exist_ok=True)
        keys = ["--access", self.access_key, "--secret", self.secret_key, "--region", self.region]
        listen = ["--port", f"127.0.0.1:{self.port}", "--quiet"]
        program = binary("versitygw", "v1.8.0", "github.com/versity/versitygw/cmd/versitygw")
        return [str(program), *listen, *keys, "posix", *self._where_attributes_go(), str(self.data)]

    def _where_attributes_go(self) -> list[str]:
        try:
            os.setxattr(self.data, "user.wallflower", b"1")
            return []
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
        sidecar = self.folder / "attributes"
        sidecar.mkdir(exist_ok=True)
        return ["--sidecar", str(sidecar)]


class Moto(S3Server):
    """In memory: what it had is gone when it is started again."""

    name = "moto"

    def command(self) -> list[str]:
        return [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(self.port)]


class MinIO(S3Server):
    """Takes minutes to build, so it is for what takes long itself."""

    name = "minio"

    def command(self) -> list[str]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        listen = ["--address", f"127.0.0.1:{self.port}", "--quiet"]
        return [str(binary("minio", "20260212", "github.com/minio/minio")), "server", *listen, str(data)]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_REGION": self.region,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            # It may share the disk of the system.
            "MINIO_CI_CD": "1",
        }
