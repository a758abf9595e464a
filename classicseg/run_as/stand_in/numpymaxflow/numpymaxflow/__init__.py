"""What ``import numpymaxflow`` finds where this folder is on Python's path, see :mod:`classicseg.run_as.redirect`."""

from classicseg.run_as import install

install("numpymaxflow")
