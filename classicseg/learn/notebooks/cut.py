import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Minimum cuts")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # How do you find the cheapest outline, and how do you know that no other is cheaper?

    Think of pipes. Each pixel is a joint, neighbours are joined by pipes, and pipes lead from a *source* to pixels
    that would rather be object, and from pixels that would rather be background to a *sink*. Let as much water flow
    as there can. The pipes that are then full part the two: they are the **cheapest outline**, and the flow is the
    proof.

    **Guess first:** if neighbours are tied more strongly, will the outline get longer or shorter?
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
    tie = mo.ui.slider(0.05, 2, 0.05, value=0.8, show_value=True, label="capacity between neighbours")
    noise = mo.ui.slider(0, 1.2, 0.1, value=0.7, show_value=True, label="noise")
    mo.vstack([tie, noise])
    return noise, tie


@app.cell
def _(cs, noise, np, tie):
    truth = np.zeros((9, 12))
    truth[2:7, 3:9] = 1
    seen = truth + np.random.default_rng(2).normal(0, 1, truth.shape) * noise.value
    small = cs.GridCRF(np.stack([seen**2, (seen - 1) ** 2]), cs.Potts(tie.value), connectivity=4)
    network = cs.plot.flow(small)
    network.set_size_inches(7.6, 5.6)
    network
    return (small,)


@app.cell(hide_code=True)
def _(cs, mo, small):
    cut = cs.minimize(small, "graph_cut")
    mo.md(f"""
    Orange rims would rather be object, blue ones background; filled circles became object. Gray is what a pipe can
    carry, blue what flows, **red what is full**.

    The energy of these labels is **{cut.energy:.3f}**, and the flow says that no labelling costs less than
    **{cut.lower_bound:.3f}**. Weak duality is obvious (all water must pass every outline); that the two *meet* is the
    theorem of Ford and Fulkerson.
    """)
    return (cut,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## On a photo

    The same, with a pipe between each pair of neighbours that is narrow where the photo has an edge. What one label
    costs is how unlike its mean brightness a pixel is.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    photo = mo.ui.file(kind="area", label="Drop a photo of your own here")
    strength = mo.ui.slider(0, 20, 0.5, value=4, show_value=True, label="strength of ties")
    threshold = mo.ui.slider(0, 255, 1, value=128, show_value=True, label="gray value between the two")
    mo.vstack([photo, strength, threshold])
    return photo, strength, threshold


@app.cell
def _(cs, mo, np, photo, picture, strength, threshold):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    image = picture(mo.cli_args().get("image"), dropped).image
    bright = (image.mean(axis=-1) - threshold.value) / 64
    unary = np.stack([bright, -bright]) - np.minimum(bright, -bright)
    crf = cs.GridCRF(unary, cs.Potts(strength.value), cs.contrast_weights(image))
    return crf, image


@app.cell
def _(crf, cs, image, mo):
    result = cs.minimize(crf, "graph_cut")
    alone = crf.unary.argmin(0)
    mo.vstack(
        [
            mo.md(
                f"energy {crf.energy(alone):.0f} → **{result.energy:.0f}**, bound {result.lower_bound:.0f}, "
                f"found in **{1000 * result.seconds:.0f} ms** (more the first time, while kernels are compiled)"
            ),
            cs.plot.before_after(
                cs.overlay(image, alone), cs.overlay(image, result.labels), names=("threshold", "minimum cut")
            ),
        ]
    )
    return (result,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## How it fails

    Push the ties up: thin things go first, because an outline costs by its length (*shrinking bias*). In the end one
    label has it all. And only two labels can be cut exactly; with more, see the topic `grid`.

    To push the flow yourself, and be told every wrong step, open the lesson *Be the cut* of the pages.

    ```python
    import classicseg as cs
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(4), cs.contrast_weights(image)))
    mask = cs.cutout(image, box=(y0, x0, y1, x1)).mask  # GrabCut: costs from colours, again and again
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
