"""`python -m tests.scale.witness FILE WORDS...`: runs blobmove with these words and leaves its peak memory in FILE.

Asked from inside: what wait4 says of a child is never below the peak of the process that started it.
"""

from __future__ import annotations

import atexit
import resource
import sys
from pathlib import Path


def peak() -> int:
    """Bytes of memory this process has used at most since its program began."""
    told = Path("/proc/self/status")
    if told.exists():
        for line in told.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    report = Path(sys.argv[1]).resolve()
    sys.argv = ["blobmove", *sys.argv[2:]]
    atexit.register(lambda: report.write_text(str(peak()), encoding="ascii"))
    from blobmove.cli.app import main

    sys.exit(main())
