"""S3 as store: real bytes to versitygw and moto, and each refusal in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3.session
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    SSLError,
)

from storage.checksum import crc32
from storage.media_types import media_type
from storage.s3 import LARGEST_PUT, S3Access, S3Target
from storage.s3_errors import in_words
from storage.target import FileGone, Part, StorageError, UploadGone
from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import Moto, S3Server, VersityGateway

PART = 5 * 2**20
BUCKET = "recordings"


@pytest.fixture(scope="module", params=[VersityGateway, Moto])
def server(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    with request.param() as one:
        one.make_bucket(BUCKET)
        yield one


def access(server: S3Server, url: str | None = None, **changed: str) -> S3Access:
    said = {
        "bucket": BUCKET,
        "region": server.region,
        "endpoint": url or server.url,
        "key": server.access_key,
        "secret": server.secret_key,
        **changed,
    }
    return S3Access(**said)  # type: ignore[arg-type]


def target(server: S3Server, **changed: str) -> S3Target:
    return S3Target("s3", access(server, **changed))


def test_the_check_leaves_a_small_file_with_a_name_of_its_own(server: S3Server) -> None:
    store = target(server, path="checks/")
    first, second = store.check(), store.check()
    assert first != second
    assert first.startswith(f"{server.url}/{BUCKET}/checks/wallflower-") and first.endswith(".md")
    found = server.keys()
    keys = [key for key in found if key.startswith("checks/")]
    assert len(keys) == 2
    assert b"check that recordings can be stored" in server.read(keys[0])


def test_a_small_file_leaves_the_spool_by_one_request_and_says_what_it_is(server: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"sound" * 1000)
    stored = target(server, path="/folder//".strip("/")).deliver(path, "call/ü a+b.mp3")
    assert not path.exists()
    assert stored.size == 5000 and stored.key == "call/ü a+b.mp3"
    assert stored.url == f"{server.url}/{BUCKET}/folder/call/%C3%BC%20a%2Bb.mp3"
    assert server.read("folder/call/ü a+b.mp3") == b"sound" * 1000
    client = server.client()
    assert client.head_object(Bucket=BUCKET, Key="folder/call/ü a+b.mp3")["ContentType"] == "audio/mpeg"
    client.close()


def test_a_large_file_leaves_the_spool_in_parts(server: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = bytes(range(256)) * ((LARGEST_PUT + 1000) // 256)
    path.write_bytes(data)
    assert target(server).deliver(path, "large.mp4").size == len(data)
    assert server.read("large.mp4") == data
    with pytest.raises(FileGone, match="is not in the spool"):
        target(server).deliver(path, "large.mp4")


def test_parts_may_be_put_again_and_an_upload_taken_up_by_its_token(server: S3Server) -> None:
    upload = target(server).open_upload("a/b.mp4", PART)
    upload.put_part(1, b"1" * PART)
    second = upload.put_part(2, b"2" * 100)
    again = target(server).resume_upload(upload.token)
    first = again.put_part(1, b"A" * PART)
    assert first == Part(1, PART, first.tag, crc32(b"A" * PART))
    found = server.keys()
    assert "a/b.mp4" not in found
    stored = again.complete([first, second])
    assert server.read("a/b.mp4") == b"A" * PART + b"2" * 100
    assert stored == again.stored([first, second])
    assert (stored.url, stored.size) == (f"{server.url}/{BUCKET}/a/b.mp4", PART + 100)


def test_of_the_parts_only_those_named_make_the_file(server: S3Server) -> None:
    upload = target(server).open_upload("cut.mp4", PART)
    first = upload.put_part(1, b"1" * 1000)
    upload.put_part(2, b"2" * 1000)
    upload.complete([first])
    assert server.read("cut.mp4") == b"1" * 1000


def test_an_aborted_upload_is_gone(server: S3Server) -> None:
    upload = target(server).open_upload("gone.mp4", PART)
    part = upload.put_part(1, b"1")
    upload.abort()
    upload.abort()
    assert "gone.mp4" not in server.open_uploads()
    if isinstance(server, VersityGateway):  # moto breaks down over an upload that it does not know
        with pytest.raises(UploadGone):
            upload.complete([part])


def test_bytes_that_change_on_the_way_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with VersityGateway() as gateway:
        gateway.make_bucket(BUCKET)
        monkeypatch.setattr("storage.s3.crc32", lambda data: crc32(data + b"!"))
        with pytest.raises(StorageError, match="not those that were sent") as caught:
            target(gateway).put("a.mp4", b"media")
        assert caught.value.of_file and not caught.value.hopeless
        upload = target(gateway).open_upload("b.mp4", PART)
        with pytest.raises(StorageError, match="not those that were sent"):
            upload.put_part(1, b"media")
        assert gateway.keys() == []


@pytest.mark.parametrize("number, size", [(0, 1), (1, 0), (1, PART + 1)])
def test_a_part_that_does_not_fit_is_refused_before_it_is_sent(number: int, size: int) -> None:
    store = S3Target("s3", S3Access(BUCKET, "us-east-1", endpoint="http://127.0.0.1:9", key="k", secret="s"))
    upload = store.resume_upload('{"name": "a", "key": "a", "id": "u", "part_size": 5242880}')
    with pytest.raises(StorageError, match="does not fit"):
        upload.put_part(number, b"x" * size)


def test_a_token_that_cannot_be_read_means_to_begin_anew() -> None:
    with pytest.raises(UploadGone):
        S3Target("s3", S3Access(BUCKET, "us-east-1")).resume_upload("nonsense")


def test_a_missing_bucket_is_told_in_words(server: S3Server) -> None:
    with pytest.raises(StorageError, match=r"bucket nowhere at .*: the bucket does not exist") as caught:
        target(server, bucket="nowhere").check()
    assert caught.value.hopeless


def test_an_endpoint_out_of_reach_is_told_in_words_and_may_come_back() -> None:
    store = S3Target("minio", S3Access("b", "us-east-1", endpoint="http://127.0.0.1:9", key="k", secret="hidden"))
    with pytest.raises(StorageError) as caught:
        store.check()
    assert str(caught.value) == "store minio (bucket b at http://127.0.0.1:9): the endpoint is out of reach"
    assert not caught.value.hopeless
    assert "hidden" not in repr(store.access)


async def test_no_right_to_read_or_list_is_needed(tmp_path: Path) -> None:
    import asyncio

    with VersityGateway() as gateway:
        gateway.make_bucket(BUCKET)
        async with FaultyProxy(gateway.url) as proxy:
            proxy.refused_methods = {"GET", "HEAD", "DELETE"}
            path = tmp_path / "a.mp4"
            path.write_bytes(b"1" * (LARGEST_PUT + 1))
            store = S3Target("s3", access(gateway, proxy.url))
            await asyncio.to_thread(store.check)
            await asyncio.to_thread(store.deliver, path, "a.mp4")
            assert {request.method for request in proxy.requests} == {"PUT", "POST"}
            assert len(gateway.read("a.mp4")) == LARGEST_PUT + 1


def test_a_guard_is_asked_before_the_endpoint_is_spoken_to() -> None:
    asked: list[str] = []

    def guard(url: str) -> None:
        asked.append(url)
        raise StorageError("not there", hopeless=True)

    store = S3Target("s3", S3Access("b", "us-east-1", endpoint="http://10.0.0.1", key="k", secret="s"), guard)
    with pytest.raises(StorageError, match="not there"):
        store.check()
    assert asked == ["http://10.0.0.1"]


@pytest.mark.parametrize(
    ("bucket", "region", "url"),
    [
        ("my-bucket", "eu-central-1", "https://my-bucket.s3.eu-central-1.amazonaws.com/r/a%20b.mp4"),
        ("my.bucket", "eu-central-1", "https://s3.eu-central-1.amazonaws.com/my.bucket/r/a%20b.mp4"),
        ("b", "cn-north-1", "https://b.s3.cn-north-1.amazonaws.com.cn/r/a%20b.mp4"),
    ],
)
def test_urls_of_amazon_name_the_bucket_in_the_host(bucket: str, region: str, url: str) -> None:
    store = S3Target("s3", S3Access(bucket, region, path="r"))
    assert store.url(store.object_name("a b.mp4")) == url


def test_without_keys_the_role_of_the_machine_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match="neither keys in the settings nor a role") as caught:
        S3Target("s3", S3Access("b", "us-east-1")).check()
    assert caught.value.hopeless
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-role")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = boto3.session.Session().get_credentials()
    assert found is not None and found.access_key == "of-the-role"
    with Moto() as moto:
        moto.make_bucket(BUCKET)
        S3Target("s3", S3Access(BUCKET, "us-east-1", endpoint=moto.url)).check()
        assert len(moto.keys(BUCKET)) == 1


def refusal(code: str, status: int) -> ClientError:
    said = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said", "hopeless", "of_file"),
    [
        (refusal("AccessDenied", 403), "access is denied", True, False),
        (refusal("403", 403), "access is denied", True, False),
        (refusal("SomethingOfTheirs", 403), "access is denied", True, False),
        (refusal("RequestTimeTooSkewed", 403), "clock differs", True, False),
        (refusal("PermanentRedirect", 301), "in another region", True, False),
        (refusal("SlowDown", 503), "asks for less", False, False),
        (refusal("InternalError", 500), "refuses with 500 (InternalError)", False, False),
        (refusal("RequestTimeout", 400), "refuses with 400", False, False),
        (refusal("InvalidArgument", 400), "refuses with 400", True, True),
        (refusal("EntityTooLarge", 400), "larger than the store allows", False, True),
        (refusal("NoSuchUpload", 404), "cannot be gone on with", False, True),
        (NoCredentialsError(), "no credentials", True, False),
        (ConnectTimeoutError(endpoint_url="x"), "no answer in time", False, False),
        (SSLError(endpoint_url="x", error="e"), "no trusted TLS", False, False),
        (BotoCoreError(), "cannot be used as set up", True, False),
    ],
)
def test_every_error_is_one_sentence_that_says_whether_trying_again_helps(
    error: BotoCoreError | ClientError, said: str, hopeless: bool, of_file: bool
) -> None:
    found = in_words(error, "store x (bucket b)")
    assert str(found).startswith("store x (bucket b): ") and said in str(found)
    assert (found.hopeless, found.of_file) == (hopeless, of_file)


def test_kinds_of_files_are_told_by_their_names() -> None:
    assert media_type("a/b.MP4") == "video/mp4"
    assert media_type("a.m4a") == "audio/mp4"
    assert media_type("a.unknown") == "application/octet-stream"
