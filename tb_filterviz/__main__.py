"""``python -m tb_filterviz``."""

import sys

from tb_filterviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
