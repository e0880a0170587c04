"""Answers of a store that concern the whole run, in the operator's words."""

from __future__ import annotations

from blobmove.core.circuit import Doubt
from blobmove.core.errors import AccessError, BlobmoveError, Kind, Side, StoreError, UsageError
from blobmove.core.transfer import CANNOT_PULL


def general(doubt: Doubt) -> BlobmoveError:
    """The error for a failure that turned out to be general."""
    return explain(StoreError(doubt.side, doubt.kind, doubt.code, doubt.detail))


def explain(error: StoreError) -> BlobmoveError:
    """A store's answer that concerns the whole run, in the operator's words."""
    side = "S3" if error.side is Side.SOURCE else "Azure"
    cause = f"{error.code}: {error.detail}".removesuffix(": ")
    resume = "then: blobmove copy --resume"
    if error.code == CANNOT_PULL:
        return UsageError("E403-PULL", "S3 gives its objects to us, but Azure cannot pull them by itself",
                          cause=error.detail, hint="blobmove copy --resume --transfer auto")
    if error.kind is Kind.EXPIRED:
        return AccessError(f"E401-{error.side.upper()}", f"the credentials for {side} are expired or not accepted",
                           cause=cause, hint=f"renew them (and check the clock), {resume}")
    if error.kind in (Kind.STOP_ACCESS, Kind.DENIED):
        return AccessError(f"E403-{error.side.upper()}", f"{side} refuses access", cause=cause,
                           hint=f"check the permissions (docs/how-to/give-least-privileges.md), {resume}")
    if error.code == "NoSuchBucket":
        return UsageError("E404-BUCKET", "the bucket is not there (any more)", cause=cause,
                          hint="`aws s3 ls` shows the buckets you own; what was copied stays recorded")
    if error.code.startswith("Container"):
        return UsageError("E404-CONTAINER", "the container is not there (any more)", cause=cause,
                          hint="create it again, or plan with --create-container, " + resume)
    if error.kind is Kind.STOP_CONFIG:
        return UsageError(f"E400-{error.side.upper()}", f"{side} cannot be used like this", cause=cause)
    return UsageError(f"E000-{error.side.upper()}", f"{side} does not answer", cause=cause,
                      hint=f"check the network and the service's health, {resume}")
