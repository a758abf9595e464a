"""What pages call; see :mod:`builder.entry`."""
