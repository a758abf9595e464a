import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="The permutohedral lattice")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # How can every pixel listen to every other one in the time of a few passes over the image?

    A photo of 600 x 400 pixels has 29 billion pairs. The **permutohedral lattice** does not visit them. Pixels give
    their values to a few corners near them (*splat*), corners exchange values with their neighbours (*blur*), and
    pixels read them back (*slice*). Near means: in place *and* colour.

    **Guess first:** if pixels are to listen further, will that take longer?
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np

    import classicseg as cs
    from classicseg.learn.pictures import picture

    return cs, mo, np, picture


@app.cell(hide_code=True)
def _(mo):
    photo = mo.ui.file(kind="area", label="Drop a photo of your own here")
    sigma = mo.ui.slider(5, 100, 5, value=40, show_value=True, label="how near: σ in pixels")
    color = mo.ui.slider(5, 100, 1, value=20, show_value=True, label="how alike: σ of colour")
    mo.vstack([photo, sigma, color])
    return color, photo, sigma


@app.cell
def _(mo, photo, picture):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    seen = picture(mo.cli_args().get("image"), dropped)
    return (seen,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## In two dimensions

    Take one row of the photo. Each pixel becomes a point: its place across, its gray value up. The middle one has the
    value 1, all others 0.
    """)
    return


@app.cell
def _(color, cs, np, seen, sigma):
    across = np.arange(0, seen.gray.shape[1], 6)
    values = seen.gray[len(seen.gray) // 2, across]
    points = np.stack([across / sigma.value, values / color.value])
    one = np.zeros(points.shape[1])
    one[len(one) // 2] = 1
    steps = cs.plot.lattice(points, one)
    steps.set_size_inches(6.4, 5.6)
    steps
    return one, points


@app.cell
def _(cs, mo, np, one, points):
    flat = cs.PermutohedralLattice(points)
    got = flat.filter(one[None], "none")[0]
    middle = points[:, [len(one) // 2]]
    exact = np.exp(-0.5 * ((points - middle) ** 2).sum(0))
    mo.md(
        f"**{points.shape[1]}** points, **{flat.n_vertices}** corners. The middle pixel itself reads {got.max():.2f} "
        f"where the Gaussian has 1; in sum all read {got.sum():.1f}, and the Gaussian gives {exact.sum():.1f}."
    )
    return exact, flat, got


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## In five

    The whole photo: two numbers for the place and three for the colour. Below, the photo itself is what is filtered,
    so that you see who listens to whom: pixels take the colours of those that are near and alike.
    """)
    return


@app.cell
def _(color, cs, mo, np, seen, sigma):
    from time import perf_counter

    height, width = seen.image.shape[:2]
    place = np.indices((height, width)) / sigma.value
    features = np.concatenate([place, np.moveaxis(seen.image, -1, 0) / color.value]).reshape(5, -1)
    start = perf_counter()
    lattice = cs.PermutohedralLattice(features)
    channels = np.moveaxis(seen.image, -1, 0).reshape(3, -1).astype(float)
    sums = lattice.filter(np.concatenate([channels, np.ones((1, height * width))]), "none")
    seconds = perf_counter() - start
    means = np.moveaxis((sums[:3] / sums[3]).reshape(3, height, width), 0, -1)
    smooth = means.clip(0, 255).round().astype(np.uint8)
    cs.plot.before_after(seen.image, smooth, names=("photo", "filtered"))
    return features, lattice, seconds, smooth, sums


@app.cell
def _(features, lattice, mo, np, seconds, sums):
    some = np.random.default_rng(0).choice(features.shape[1], 50, replace=False)
    true = np.array([np.exp(-0.5 * ((features - features[:, [i]]) ** 2).sum(0)).sum() for i in some])
    error = float(np.median(abs(sums[3, some] / true - 1)))
    mo.md(
        f"**{lattice.n_vertices}** corners for {features.shape[1]} pixels, which took {1000 * seconds:.0f} ms (more "
        "the first time, while kernels are compiled). How much 50 pixels heard differs from the exact sum over all "
        f"pixels by {100 * error:.0f} % in the median."
    )
    return (error,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    So listening further takes *less*: the wider, the fewer corners.

    ## How it fails

    Corners that no pixel touches do not exist, and nothing passes through them. With small σ nearly every pixel has
    corners of its own, and hears little. `quality="high"` adds what is missing, and `quality="exact"` sums over all
    pairs.

    **Try:** find the σ of colour at which there is a corner for every second pixel. What happens to the error?

    ```python
    import classicseg as cs
    lattice = cs.PermutohedralLattice(features)  # (d, n), in standard deviations
    sums = lattice.filter(values)  # (channels, n)
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
