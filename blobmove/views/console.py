"""All texts for people, in one place to import from: each a pure function from a result to a string."""

from __future__ import annotations

from blobmove.views.copy_text import dry_run_text, question_text, status_text, summary_text
from blobmove.views.flip_text import flip_text
from blobmove.views.plan_text import plan_text
from blobmove.views.verify_text import verify_text

__all__ = ["dry_run_text", "flip_text", "plan_text", "question_text", "status_text", "summary_text", "verify_text"]
