"""Where research data lie, and where results go."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("CLASSICSEG_DATA", ROOT.parent / "shared" / "data"))
"""``$CLASSICSEG_DATA``, by default ``shared/data`` next to the checkout."""
