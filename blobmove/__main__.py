"""`python -m blobmove`."""

import sys

from blobmove.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
