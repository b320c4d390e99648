"""``python -m freedive`` is the command ``freedive``."""

from freedive.cli.main import entry

entry()
