"""Container names: Azure's rules, and the proposal for a bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blobmove.core.containers import container_problem, suggest_container


@pytest.mark.parametrize(("bucket", "container"), [
    ("bucket.name.1", "bucket-name-1"),
    ("bucket---name", "bucket-3-name"),
    ("0123456789.0123456789.0123456789.012345678901234567890123456789",
     "0123456789-0123456789-0123456789-012345678901234567890123456789"),
    ("bucket.-name", "bucket-2-name"),
    ("Old_Bucket", "old-bucket"),
])
def test_the_proposal_is_the_one_azcopy_would_make(bucket: str, container: str) -> None:
    assert suggest_container(bucket) == container


@given(st.text("abcdefgh0123456789.-_AB", min_size=0, max_size=80))
def test_every_proposal_is_a_valid_container(bucket: str) -> None:
    assert container_problem(suggest_container(bucket)) is None


@pytest.mark.parametrize(("name", "why"), [
    ("ab", "2 characters"), ("a" * 64, "64 characters"), ("Upper", "capital"), ("a--b", "two hyphens"),
    ("-ab", "begins or ends"),
    ("ab-", "begins or ends"), ("a_b", "only a-z"), ("a.b", "only a-z"), ("größe", "only a-z"), ("$logs", "only a-z"),
])
def test_a_name_azure_refuses_is_explained(name: str, why: str) -> None:
    assert why in (container_problem(name) or "")


@pytest.mark.parametrize("name", ["abc", "a-b", "0" * 63, "$web"])
def test_a_name_azure_takes_has_no_problem(name: str) -> None:
    assert container_problem(name) is None
