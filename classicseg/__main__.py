"""``python -m classicseg``, for where the command itself is not on the path."""

import sys

from classicseg.cli import main

sys.exit(main())
