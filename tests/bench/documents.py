"""Puts results into docs/explanation/performance.md, between its two marks, and the picture beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.bench.plot import svg
from tests.bench.results import Results
from tests.bench.tables import markdown

BEGIN: Final = "<!-- begin bench -->"
END: Final = "<!-- end bench -->"
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "performance.md"


def write_documents(results: Results, page: Path = PAGE) -> None:
    """Rewrite the generated part of the page, and NAME.svg beside it. Raises ValueError where the marks are missing."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{after}", encoding="utf-8")
    page.with_suffix(".svg").write_text(svg(results), encoding="utf-8")
