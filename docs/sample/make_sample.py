"""Makes the sample of ``classicseg demo``: a photo, probabilities from a classifier, and a truth drawn by hand.

    python docs/sample/make_sample.py

* ``photo.jpg``: "coffee" of scikit-image, photographed by Rachel Michetti, given to the public under CC0.
* ``probabilities.npz``: multinomial logistic regression on colour and texture, trained on the strokes below and on
  nothing else. It is as imperfect as such classifiers are: the wood is in part as red as the saucer.
* ``truth.png``: outlines drawn by hand, good to about 2 pixels; a band of that width around them is not scored (255).

The strokes, the truth and the probabilities are our own work and are given under CC0 as well.
"""

import itertools
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage, optimize, special
from skimage import color, data, draw

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "classicseg" / "_sample"

# All coordinates are (x, y) in a photo enlarged twice, which is the size they were read off at.
# Later outlines lie on top of earlier ones; what none covers is "table".
OUTLINES = {
    "porcelain": "155,430 160,385 180,330 205,280 240,235 300,185 355,150 360,135 800,135 840,215 890,265 935,330 "
    "952,385 958,440 955,490 940,540 900,610 850,670 800,712 740,748 680,768 600,778 500,770 400,738 "
    "300,682 235,628 190,560 165,500",
    "cup inside": "347,215 352,180 375,135 410,95 470,58 530,42 590,36 650,45 700,61 750,95 790,140 808,180 816,230 "
    "805,290 775,335 730,375 680,400 620,415 560,410 500,395 440,360 395,320 365,275 350,240",
    "coffee": "410,278 420,255 450,218 500,200 560,190 620,195 670,212 705,240 730,275 738,310 735,330 700,360 "
    "650,380 600,387 550,382 490,365 440,335 412,300",
    "spoon": "795,150 805,137 825,133 845,142 848,160 835,215 820,260 800,340 780,410 768,465 785,495 808,530 "
    "812,560 800,600 770,635 730,652 690,642 662,610 653,570 660,530 685,503 710,490 740,470 745,455 "
    "752,430 770,395 785,350 800,300 812,260 818,215 812,180",
}
STROKES = {
    "table": [
        "60,320 150,200 320,90",
        "20,400 100,560 140,740 360,780",
        "900,100 1150,60",
        "1000,140 1120,300 1040,560 860,740",
        "20,80 180,30",
        "150,540 230,690",
    ],
    "porcelain": [
        "300,250 220,420 300,600 500,720",
        "880,340 900,480 850,620",
        "480,430 600,490 560,560",
        "430,520 440,590",
        "560,600 600,680",
        "360,330 420,420",
    ],
    "cup inside": ["400,150 480,90 600,130 740,190", "372,220 380,300 500,385", "620,400 740,340 790,220"],
    "coffee": ["470,300 560,340 660,330", "480,240 560,215 680,240", "540,245 640,260"],
    "spoon": ["680,540 700,620 770,600 790,540", "822,150 815,220", "700,600 760,520 730,500"],
}
LABELS = ["table", *OUTLINES]
VOID, BAND = 255, 2
PRIOR = 0.003


def points(text: str) -> np.ndarray:
    """(n, 2) rows and columns in the photo."""
    return np.array([pair.split(",") for pair in text.split()], float)[:, ::-1] / 2


def draw_truth(shape: tuple[int, int]) -> np.ndarray:
    truth = np.zeros(shape, np.uint8)
    for label, outline in enumerate(OUTLINES.values(), start=1):
        truth[draw.polygon2mask(shape, points(outline))] = label
    edges = np.zeros(shape, bool)
    for axis in (0, 1):
        changed = np.diff(truth, axis=axis) != 0
        edges |= np.pad(changed, [(0, 1) if a == axis else (0, 0) for a in (0, 1)])
    truth[ndimage.binary_dilation(edges, iterations=BAND)] = VOID
    return truth


def draw_strokes(shape: tuple[int, int]) -> np.ndarray:
    strokes = np.full(shape, -1)
    for label, name in enumerate(LABELS):
        for stroke in STROKES[name]:
            corners = points(stroke).round().astype(int)
            for (r0, c0), (r1, c1) in itertools.pairwise(corners):
                strokes[draw.line(r0, c0, r1, c1)] = label
    return strokes


def describe(photo: np.ndarray) -> np.ndarray:
    """(n, F) features of each pixel: colour at three scales, how rough the neighbourhood is, and the place."""
    lab = np.moveaxis(color.rgb2lab(photo), -1, 0) / 50
    blurred = [ndimage.gaussian_filter(lab, (0, s, s)) for s in (1.0, 3.0)]
    rough = [ndimage.gaussian_gradient_magnitude(lab[0], s)[None] * s for s in (1.0, 2.0)]
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in photo.shape[:2]), indexing="ij"))
    squares = [blurred[1] ** 2, place**2, place[:1] * place[1:], lab[:1] * lab[1:]]
    features = np.concatenate([lab, *blurred, *rough, place, *squares]).reshape(-1, lab[0].size).T
    features = (features - features.mean(0)) / features.std(0)
    return np.hstack([features, np.ones((len(features), 1))])


def classify(features: np.ndarray, strokes: np.ndarray, n_labels: int) -> np.ndarray:
    """(L, n) probabilities by multinomial logistic regression with a weak Gaussian prior on the weights."""
    known = strokes.ravel() >= 0
    x, y = features[known], np.eye(n_labels)[strokes.ravel()[known]]
    balance = (1 / y.sum(0))[strokes.ravel()[known]]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(x.shape[1], n_labels)
        log_p = special.log_softmax(x @ weights, axis=1)
        slope = x.T @ ((np.exp(log_p) - y) * balance[:, None]) + 2 * PRIOR * weights
        return -(balance[:, None] * y * log_p).sum() + PRIOR * (flat**2).sum(), slope.ravel()

    weights = optimize.minimize(loss, np.zeros(x.shape[1] * n_labels), jac=True, method="L-BFGS-B").x
    return special.softmax(features @ weights.reshape(-1, n_labels), axis=1).T


def main() -> None:
    photo = data.coffee()
    shape = photo.shape[:2]
    p = classify(describe(photo), draw_strokes(shape), len(LABELS)).reshape(-1, *shape)
    p = (p * 127).round() / 127  # few distinct values: a small file
    truth = draw_truth(shape)
    OUT.mkdir(exist_ok=True)
    Image.fromarray(photo).save(OUT / "photo.jpg", quality=92)
    np.savez_compressed(OUT / "probabilities.npz", probabilities=(p / p.sum(0)).astype(np.float16))
    Image.fromarray(truth).save(OUT / "truth.png")
    scored = truth != VOID
    print(f"accuracy of the classifier alone: {(p.argmax(0) == truth)[scored].mean():.4f}")


if __name__ == "__main__":
    main()
