"""S3, or what is compatible with it, as store: only rights to write are needed, the store checks what arrives."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from storage.checksum import crc32
from storage.media_types import media_type
from storage.target import FileGone, Part, StorageError, Stored, Upload, UploadGone

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 60.0
COMPLETE_TIMEOUT = 600.0
ATTEMPTS = 2
"""In one call; whoever calls tries again after a pause."""
LARGEST_PUT = 8 * 2**20
"""Bytes up to which a file is put by one request."""
LONGEST_KEY = 1024
"""Bytes of an object's name."""

CHECK_TEXT = b"# Wallflower\n\nThis file was written to check that recordings can be stored here. It may be removed.\n"


@dataclass(frozen=True)
class S3Access:
    """Where a bucket is and how it is spoken to. Without keys, boto3 looks for a role (instance, container, web)."""

    bucket: str
    region: str
    path: str = ""
    """Folder in the bucket."""
    endpoint: str | None = None
    """None is Amazon's own. Any other is addressed by path, not by host names of buckets."""
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    connect_timeout: float = CONNECT_TIMEOUT
    read_timeout: float = READ_TIMEOUT


class S3Upload:
    """A multipart upload. S3 has checked the CRC-32 of a part when it confirms it."""

    def __init__(self, target: S3Target, name: str, key: str, upload_id: str, part_size: int) -> None:
        self._target = target
        self._name = name
        self._key = key
        self._id = upload_id
        self.part_size = part_size
        self.token = json.dumps({"name": name, "key": key, "id": upload_id, "part_size": part_size})

    def put_part(self, number: int, data: bytes) -> Part:
        if number < 1 or not 0 < len(data) <= self.part_size:
            raise StorageError(
                f"part {number} of {len(data)} bytes does not fit parts of {self.part_size} bytes", of_file=True
            )
        checksum = crc32(data)
        with self._target.spoken() as s3:
            answer = s3.upload_part(
                Bucket=self._target.access.bucket,
                Key=self._name,
                UploadId=self._id,
                PartNumber=number,
                Body=data,
                ChecksumCRC32=checksum,
            )
        return Part(number, len(data), answer["ETag"], checksum)

    def complete(self, parts: Sequence[Part]) -> Stored:
        if not parts:
            raise UploadGone(f"the upload of {self._key} has no parts")
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part.number, "ETag": part.tag, "ChecksumCRC32": part.checksum} for part in parts
        ]
        with self._target.spoken(patient=True) as s3:
            s3.complete_multipart_upload(
                Bucket=self._target.access.bucket,
                Key=self._name,
                UploadId=self._id,
                MultipartUpload={"Parts": listed},
            )
        return self.stored(parts)

    def stored(self, parts: Sequence[Part]) -> Stored:
        return Stored(self._key, self._target.url(self._name), sum(part.size for part in parts))

    def abort(self) -> None:
        with contextlib.suppress(UploadGone), self._target.spoken() as s3:
            s3.abort_multipart_upload(Bucket=self._target.access.bucket, Key=self._name, UploadId=self._id)


class S3Target:
    """A bucket. Uses PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload and AbortMultipartUpload."""

    while_growing = True

    def __init__(self, name: str, access: S3Access, guard: Callable[[str], None] | None = None) -> None:
        """``guard`` is asked before an endpoint is spoken to, and raises StorageError when that is not allowed."""
        self.name = name
        self.access = access
        self._guard = guard
        self._folder = f"{access.path.strip('/')}/" if access.path.strip("/") else ""
        self._making = threading.Lock()
        where = f"bucket {access.bucket}"
        self._where = f"store {name} ({where} at {access.endpoint})" if access.endpoint else f"store {name} ({where})"

    def check(self) -> str:
        return self.put(f"wallflower-{uuid.uuid4()}.md", CHECK_TEXT).url

    def put(self, key: str, data: bytes) -> Stored:
        name = self.object_name(key)
        with self.spoken() as s3:
            s3.put_object(
                Bucket=self.access.bucket,
                Key=name,
                Body=data,
                ContentType=media_type(key),
                ChecksumCRC32=crc32(data),
            )
        return Stored(key, self.url(name), len(data))

    def deliver(self, path: Path, key: str) -> Stored:
        try:
            size = path.stat().st_size
            if size <= LARGEST_PUT:
                stored = self.put(key, path.read_bytes())
            else:
                stored = self._deliver_in_parts(path, key, max(LARGEST_PUT, -(-size // 10_000)))
            path.unlink()
        except FileNotFoundError:
            raise FileGone(f"{path} is not in the spool") from None
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}", of_file=True) from error
        return stored

    def _deliver_in_parts(self, path: Path, key: str, part_size: int) -> Stored:
        upload = self.open_upload(key, part_size)
        parts: list[Part] = []
        try:
            with path.open("rb") as file:
                while data := file.read(part_size):
                    parts.append(upload.put_part(len(parts) + 1, data))
            return upload.complete(parts)
        except (StorageError, OSError):
            with contextlib.suppress(StorageError):
                upload.abort()
            raise

    def open_upload(self, key: str, part_size: int) -> Upload:
        name = self.object_name(key)
        with self.spoken() as s3:
            answer = s3.create_multipart_upload(
                Bucket=self.access.bucket, Key=name, ContentType=media_type(key), ChecksumAlgorithm="CRC32"
            )
        return S3Upload(self, name, key, answer["UploadId"], part_size)

    def resume_upload(self, token: str) -> Upload:
        try:
            said = json.loads(token)
            return S3Upload(self, said["name"], said["key"], said["id"], said["part_size"])
        except (ValueError, KeyError, TypeError):
            raise UploadGone(f"{self._where}: what is known of an upload cannot be read") from None

    def object_name(self, key: str) -> str:
        """The object's name in the bucket. Raises StorageError when it would be too long."""
        name = self._folder + key
        if len(name.encode()) > LONGEST_KEY:
            text = f"{self._where}: the name {name[:60]}… is longer than {LONGEST_KEY} bytes"
            raise StorageError(text, hopeless=True, of_file=True)
        return name

    def url(self, name: str) -> str:
        """Where the object can be had by who may read it. It is not signed."""
        bucket, quoted = self.access.bucket, quote(name, safe="/~")
        endpoint = urlsplit(self._client.meta.endpoint_url)
        if self.access.endpoint is not None or "." in bucket:
            return f"{endpoint.scheme}://{endpoint.netloc}{endpoint.path.rstrip('/')}/{bucket}/{quoted}"
        return f"{endpoint.scheme}://{bucket}.{endpoint.netloc}/{quoted}"

    @contextlib.contextmanager
    def spoken(self, *, patient: bool = False) -> Iterator[S3Client]:
        """A client; what botocore raises meanwhile becomes a StorageError."""
        from botocore.exceptions import BotoCoreError, ClientError

        from storage.s3_errors import in_words

        if self._guard is not None and self.access.endpoint is not None:
            self._guard(self.access.endpoint)
        try:
            with self._making:
                client = self._patient_client if patient else self._client
            yield client
        except (BotoCoreError, ClientError) as error:
            raise in_words(error, self._where) from None
        except (ValueError, TypeError) as error:  # botocore's way to say that an endpoint or a region is none
            raise StorageError(f"{self._where}: it cannot be used as set up ({error})", hopeless=True) from None

    @cached_property
    def _client(self) -> S3Client:
        return self._make(self.access.read_timeout, ATTEMPTS)

    @cached_property
    def _patient_client(self) -> S3Client:
        """For putting parts together: some stores copy them then, and a second request would find them gone."""
        return self._make(max(COMPLETE_TIMEOUT, self.access.read_timeout), 1)

    def _make(self, read_timeout: float, attempts: int) -> S3Client:
        # Importing boto3 costs half a second, which is only for those who have such a store.
        import boto3.session
        from botocore.config import Config

        access = self.access
        config = Config(
            connect_timeout=access.connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            s3={"addressing_style": "path" if access.endpoint else "auto"},
            # Checksums are given where they belong; some compatible stores refuse botocore's own kind in a trailer.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            tcp_keepalive=True,
            signature_version="s3v4",
        )
        # A session of its own: boto3's default one may not be used from several threads.
        return boto3.session.Session().client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint,
            aws_access_key_id=access.key,
            aws_secret_access_key=access.secret,
            config=config,
        )
