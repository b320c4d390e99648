"""``python -m freedive`` is the command ``freedive``."""

import sys

from freedive.cli.main import main

sys.exit(main())
