"""Make the picture of docs/graph-crf.md, from the photo that comes with the package (CC0).

python docs/make_graph_pictures.py
"""

from pathlib import Path

import numpy as np
from skimage.segmentation import find_boundaries, slic
from skimage.transform import resize

import classicseg as cs
from classicseg import io, plot

FOLDER = Path(__file__).parent / "pictures"


def main() -> None:
    """Superpixels of the photo, what each of them says by itself, and what their graph makes of that."""
    FOLDER.mkdir(exist_ok=True)
    sample = cs.sample()
    image = sample.image
    graph = cs.region_graph(image, slic(image, n_segments=500, compactness=12))
    alone = graph.gather(cs.unary_from_probabilities(sample.probabilities)) / graph.sizes
    alone += np.random.default_rng(1).normal(0, 1.6, alone.shape)  # as unsure as what sees one superpixel at a time
    weights = graph.lengths / graph.lengths.mean() * np.exp(-((graph.contrasts / graph.contrasts.mean()) ** 2))
    crf = cs.GraphCRF(alone, graph.edges, cs.Potts(2.5), weights)
    labels = cs.minimize(crf, "trws").labels
    borders = image.copy()
    borders[find_boundaries(graph.regions, mode="inner")] = (255, 214, 0)
    views = [borders, *(plot.overlay(image, graph.paint(x)) for x in (alone.argmin(axis=0), labels))]
    small = [(255 * resize(view, (240, 360), anti_aliasing=True)).astype(np.uint8) for view in views]
    io.write_image(FOLDER / "graph-superpixels.png", plot.tile(small, columns=3))


if __name__ == "__main__":
    main()
