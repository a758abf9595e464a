"""What ``import pydensecrf`` finds where this folder is on Python's path, see :mod:`classicseg.pydensecrf.redirect`."""

import classicseg.pydensecrf

classicseg.pydensecrf.install()
