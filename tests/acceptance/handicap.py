"""Start a command with less than it may expect: `handicap.py no-override|BYTES COMMAND...`.

`no-override`: root becomes subject to file permissions like everybody else. BYTES: no file may grow beyond, as on a
disk that is nearly full (the write fails with EFBIG).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Final

_PR_CAPBSET_DROP: Final = 24
_CAP_DAC_OVERRIDE: Final = 1
_CAP_DAC_READ_SEARCH: Final = 2
"""linux/prctl.h, linux/capability.h"""


def main(how: str, command: list[str]) -> None:
    """Take something away, then become the command."""
    if how == "no-override":
        if os.geteuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
                if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                    raise OSError(ctypes.get_errno(), "the capability cannot be dropped")
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(how), int(how)))
    os.execv(command[0], command)  # noqa: S606 - the command is the test's own


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
