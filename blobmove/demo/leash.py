"""A program started so that the kernel ends it when its parent dies: `leash.py PARENT PROGRAM ARGUMENT...`.

A script of its own, run before the program and replaced by it: what must happen between fork and exec is not safe in
a parent that has threads. Linux only (prctl); elsewhere the program is simply started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Put this process on the leash of PARENT and become PROGRAM; ends at once if the parent is gone already."""
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
