"""What commands say about what they have done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let users ask for JSON."""
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def report(options: argparse.Namespace, done: Mapping[str, Any], text: str) -> None:
    """Print what was done: the text for people, or all of it as JSON for programs."""
    print(json.dumps(done, indent=2) if options.json else text)
