"""What went wrong between S3 and us, in one sentence without secrets, and whether trying again may help."""

from __future__ import annotations

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from storage.target import StorageError, UploadGone

_UPLOAD_GONE = {"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"}

# Somebody has to change something: the settings, the bucket's policy, a clock.
_HOPELESS = {
    "NoSuchBucket": "the bucket does not exist",
    "AccessDenied": "access is denied: the credentials need the right s3:PutObject there",
    "AllAccessDisabled": "access to the bucket is disabled",
    "AccountProblem": "the account has a problem that its owner must solve",
    "InvalidAccessKeyId": "the access key is unknown",
    "XAdminUserNotFound": "the access key is unknown",
    "SignatureDoesNotMatch": "the signature does not match: the secret key is wrong",
    "AuthorizationHeaderMalformed": "the signature is refused: s3_region is probably not the region of the bucket",
    "PermanentRedirect": "the bucket is in another region than s3_region says",
    "IllegalLocationConstraintException": "the bucket is in another region than s3_region says",
    "ExpiredToken": "the credentials have expired",
    "InvalidToken": "the session token of the credentials is refused",
    "RequestTimeTooSkewed": "this machine's clock differs too much from the store's",
    "InvalidBucketName": "the name of the bucket is not allowed",
    "QuotaExceeded": "the store's quota is used up",
    "NotImplemented": "the store does not know multipart uploads or checksums",
}

# The store is all right, this file is not.
_OF_FILE = {
    "BadDigest": "the bytes that arrived are not those that were sent",
    "XAmzContentChecksumMismatch": "the bytes that arrived are not those that were sent",
    "XAmzContentSHA256Mismatch": "the bytes that arrived are not those that were sent",
    "EntityTooLarge": "the file is larger than the store allows",
    "KeyTooLongError": "the key is longer than the store allows",
    "IncompleteBody": "the connection broke while a part was sent",
}

_PASSING = {"SlowDown", "Throttling", "ServiceUnavailable", "RequestLimitExceeded", "TooManyRequests"}
_TRY_AGAIN = {"RequestTimeout", "OperationAborted", "InternalError"}

_BY_STATUS = {401: "AccessDenied", 403: "AccessDenied", 404: "NoSuchBucket", 301: "PermanentRedirect"}


def in_words(error: BotoCoreError | ClientError, where: str) -> StorageError:
    """``where`` names the store, its bucket and its endpoint."""
    if isinstance(error, ClientError):
        return _answered(error, where)
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        text = f"{where}: no credentials: neither keys in the settings nor a role of this machine"
        return StorageError(text, hopeless=True)
    if isinstance(error, (boto.CredentialRetrievalError, boto.MetadataRetrievalError, boto.TokenRetrievalError)):
        return StorageError(f"{where}: the credentials of the role cannot be had")
    if isinstance(error, boto.SSLError):
        return StorageError(f"{where}: no trusted TLS connection: the certificate or the protocol is refused")
    if isinstance(error, (boto.ConnectTimeoutError, boto.ReadTimeoutError)):
        return StorageError(f"{where}: no answer in time")
    if isinstance(error, boto.ProxyConnectionError):
        return StorageError(f"{where}: the HTTP proxy is out of reach")
    if isinstance(error, (boto.ConnectionClosedError, boto.ResponseStreamingError)):
        return StorageError(f"{where}: the connection broke")
    if isinstance(error, boto.EndpointConnectionError):
        return StorageError(f"{where}: the endpoint is out of reach")
    if isinstance(error, boto.HTTPClientError):
        return StorageError(f"{where}: no connection could be kept")
    return StorageError(f"{where}: it cannot be used as set up ({type(error).__name__})", hopeless=True)


def _answered(error: ClientError, where: str) -> StorageError:
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(said.get("Code") or "")
    if code in _UPLOAD_GONE:
        return UploadGone(f"{where}: the upload cannot be gone on with ({code})")
    if code in _OF_FILE:
        return StorageError(f"{where}: {_OF_FILE[code]} ({code})", of_file=True)
    if code in ("", str(status)):
        code = _BY_STATUS.get(status, code)
    if code in _HOPELESS:
        return StorageError(f"{where}: {_HOPELESS[code]} ({code})", hopeless=True)
    if status in (401, 403):
        return StorageError(f"{where}: {_HOPELESS['AccessDenied']} ({code})", hopeless=True)
    if status in (429, 503) or code in _PASSING:
        return StorageError(f"{where}: the store asks for less ({code or status})")
    refused = 400 <= status < 500 and status not in (408, 409, 425) and code not in _TRY_AGAIN
    text = f"{where}: the store refuses with {status or 'an error'} ({code or 'no code'})"
    return StorageError(text, hopeless=refused, of_file=refused)
