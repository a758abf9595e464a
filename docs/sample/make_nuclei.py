"""Makes the sample of nuclei from what `python benchmarks/hybrid --problems nuclei` has left.

    python docs/sample/make_nuclei.py hybrid-work

Image and truth are the second fluorescence image of the set of benchmarks/hybrid, from the 2018 Data Science Bowl with
the corrections of K. Lopuhin (CC0); the logits are those of the narrow U-Net that has not seen it.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.hybrid.problems import nuclei
from classicseg import io
from classicseg.torch import train

FOLD = 1
STEP = 16
"""Logits are rounded to a 16th, which halves the file."""

fold = nuclei()[FOLD]
image, truth = fold.test[0]
logits = train.Model.load(Path(sys.argv[1]) / "nuclei" / "unet" / "seed0" / fold.name / "model.pt").predict(image)
target = ROOT / "classicseg" / "_sample"
io.write_image(target / "nuclei.png", image)
io.write_labels(target / "nuclei_truth.png", truth)
np.savez_compressed(target / "nuclei_logits.npz", logits=(np.rint(STEP * logits) / STEP).astype(np.float16))
