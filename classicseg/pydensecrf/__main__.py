"""``python -m classicseg.pydensecrf script.py``; see :mod:`classicseg.pydensecrf.redirect`."""

import sys

from classicseg.pydensecrf.redirect import main

main(sys.argv[1:])
