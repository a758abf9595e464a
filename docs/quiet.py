"""What would differ from build to build is kept out of the pages of scripts."""

import logging


def hide_compile_notice(gallery, script):
    """Sphinx-gallery calls this before each script, in the process that runs it."""
    logging.getLogger("classicseg").setLevel(logging.ERROR)
