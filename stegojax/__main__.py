"""`python -m stegojax` is the `stegojax` command."""

import sys

from stegojax.cli import main

if __name__ == "__main__":
    sys.exit(main())
