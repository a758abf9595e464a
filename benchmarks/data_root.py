"""Where research data lie: ``$CLASSICSEG_DATA``, by default ``shared/data`` next to the checkout."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("CLASSICSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
