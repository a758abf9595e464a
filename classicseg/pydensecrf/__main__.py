"""``python -m classicseg.pydensecrf script.py``: the same as ``python -m classicseg.run_as pydensecrf script.py``."""

import sys

from classicseg.run_as.redirect import main

main(["pydensecrf", *sys.argv[1:]])
