"""What `doctor` found, for people: a line for each look, with cause and hint where something is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blobmove.core.diagnosis import Area, Level
from blobmove.core.units import format_duration
from blobmove.views.layout import PLAIN, Paint, plural, printable

if TYPE_CHECKING:
    from blobmove.core.diagnosis import Diagnosis, Finding

_WORDS: Final = {
    Level.OK: ("ok", "good"), Level.WARNING: ("warn", "warn"), Level.FAILURE: ("FAIL", "bad"), Level.ABSENT: ("-", ""),
}
_AREAS: Final = {
    Area.SOURCE: "S3", Area.DESTINATION: "Azure", Area.DATABASE: "Rails", Area.CHECKPOINT: "Checkpoint",
    Area.MACHINE: "Machine",
}
_WIDTH: Final = 300


def doctor_text(diagnosis: Diagnosis, *, paint: Paint = PLAIN) -> str:
    """All findings, their sum, and the command to type next."""
    lines: list[str] = []
    width = max((len(_what(finding)) for finding in diagnosis.findings), default=0)
    for finding in diagnosis.findings:
        word, meaning = _WORDS[finding.level]
        shown = f"{word:<4}"
        lead = f"  {paint(shown, meaning) if meaning else shown}  {_what(finding):<{width}}  "
        code = f"  [{finding.code}]" if finding.code else ""
        lines.append(f"{lead}{printable(finding.text, _WIDTH)}{code}")
        indent = " " * (len(word.ljust(4)) + width + 6)
        if finding.cause:
            lines.append(f"{indent}caused by: {printable(finding.cause, _WIDTH)}")
        if finding.hint:
            lines.append(f"{indent}{paint('hint: ' + printable(finding.hint, _WIDTH), 'hint')}")
    return "\n".join([*lines, "", _sum(diagnosis), "", paint(f"Next: {diagnosis.next}", "hint")])


def _what(finding: Finding) -> str:
    return f"{_AREAS[finding.area]} {finding.check}"


def _sum(diagnosis: Diagnosis) -> str:
    """`11 looks in 1.2 s: 9 ok, 1 warning, 1 failure`; adds up."""
    counts = [
        (diagnosis.count(Level.OK), "ok", "ok"), (diagnosis.count(Level.WARNING), "warning", "warnings"),
        (diagnosis.count(Level.FAILURE), "failure", "failures"),
        (diagnosis.count(Level.ABSENT), "not configured or not tried", "not configured or not tried"),
    ]
    parts = ", ".join(plural(number, one, many) for number, one, many in counts if number)
    return f"{plural(len(diagnosis.findings), 'look')} in {format_duration(diagnosis.seconds)}: {parts}"
