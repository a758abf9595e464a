"""The softmax of arrays with the label axis first."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, (L, ...), of (L, ...) logits; one that is -inf gives 0."""
    p: np.ndarray = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    return p


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities, (L, ...), of (L, ...) logits."""
    shifted: np.ndarray = logits - logits.max(axis=0)
    shifted -= np.log(np.exp(shifted).sum(axis=0))
    return shifted
