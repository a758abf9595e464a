"""``python -m classicseg.run_as LIBRARY script.py``; see :mod:`classicseg.run_as.redirect`."""

import sys

from classicseg.run_as.redirect import main

main(sys.argv[1:])
