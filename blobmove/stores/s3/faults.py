"""Errors of the SDK in the operator's words: what failed, why, and what to look at."""

from __future__ import annotations

from typing import Any, Final

from blobmove.core.errors import AccessError, BlobmoveError, UsageError

_DENIED: Final = frozenset({
    "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
    "ExpiredTokenException", "RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem", "401",
})


def explain(error: Exception, bucket: str, endpoint: str | None) -> BlobmoveError:
    """One SDK error in the operator's words."""
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    if isinstance(error, BlobmoveError):
        return error
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return AccessError("E401-SOURCE", "no AWS credentials were found", cause=str(error),
                           hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if isinstance(error, EndpointConnectionError | ConnectionError | HTTPClientError):
        where = endpoint or "Amazon S3"
        return UsageError("E000-SOURCE", f"{where} cannot be reached", cause=first_line(error),
                          hint="check the network, AWS_ENDPOINT_URL_S3 and AWS_REGION")
    if isinstance(error, ClientError):
        return _client_error(dict(error.response.get("Error", {})), bucket)
    return UsageError("E400-SOURCE", f"s3://{bucket} cannot be used", cause=first_line(error))


def _client_error(told: dict[str, Any], bucket: str) -> BlobmoveError:
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    cause = f"{code}: {message}"
    if code in ("404", "NoSuchBucket"):
        return UsageError("E404-BUCKET", f"there is no bucket `{bucket}`", cause=cause,
                          hint="check the name in --source; `aws s3 ls` shows the buckets you own")
    if code in _DENIED:
        return AccessError("E403-SOURCE", f"S3 refused access to `{bucket}`", cause=cause,
                           hint="needed: s3:ListBucket on the bucket and s3:GetObject on its objects "
                                "(docs/how-to/give-least-privileges.md)")
    return UsageError("E400-SOURCE", f"s3://{bucket} cannot be used", cause=cause)


def unusable(error: Exception) -> UsageError:
    return UsageError("E400-AWS", "the AWS settings cannot be used", cause=first_line(error),
                      hint="check AWS_PROFILE, the pair AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and ~/.aws")


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
