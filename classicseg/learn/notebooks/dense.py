import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Dense CRF")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # How can you clean a noisy labelling without rubbing out what is thin?

    Let every pixel ask all others, and most of all those near by that look the same. That is a **dense CRF**; *mean
    field* finds its answer: in each update every pixel sums up what all others believe, and believes accordingly.

    **Guess first:** what happens if pixels stop caring about colour and listen to everybody within 40 pixels?
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
    photo
    return (photo,)


@app.cell
def _(mo, photo, picture):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    seen = picture(mo.cli_args().get("image"), dropped)
    return (seen,)


@app.cell(hide_code=True)
def _(mo):
    noise = mo.ui.slider(0, 80, 5, value=40, show_value=True, label="labels replaced at random, %")
    sigma = mo.ui.slider(1, 100, 1, value=40, show_value=True, label="how near: σ in pixels")
    color = mo.ui.slider(2, 200, 1, value=13, show_value=True, label="how alike: σ of colour")
    weight = mo.ui.slider(0, 20, 0.5, value=5, show_value=True, label="how loud: weight")
    updates = mo.ui.slider(0, 20, 1, value=10, show_value=True, label="updates")
    mo.vstack([noise, sigma, color, weight, updates])
    return color, noise, sigma, updates, weight


@app.cell
def _(cs, noise, np, seen):
    clean = seen.probabilities.argmax(0)
    rng = np.random.default_rng(0)
    n_labels = len(seen.names)
    replaced = rng.random(clean.shape) < noise.value / 100
    noisy = np.where(replaced, rng.integers(0, n_labels, clean.shape), clean)
    unary = cs.unary_from_labels(noisy, n_labels, confidence=0.5)
    return clean, noisy, unary


@app.cell
def _(color, cs, seen, sigma, unary, updates, weight):
    crf = cs.DenseCRF(
        unary,
        [
            cs.GaussianKernel(sigma=3, weight=1),
            cs.BilateralKernel(seen.image, sigma=sigma.value, color_sigma=color.value, weight=weight.value),
        ],
    )
    result = cs.minimize(crf, "mean_field", max_iter=updates.value) if updates.value else None
    labels = unary.argmin(0) if result is None else result.labels
    return crf, labels, result


@app.cell
def _(clean, cs, labels, mo, noisy, result, seen):
    before, after = (100 * (each == clean).mean() for each in (noisy, labels))
    mo.vstack(
        [
            mo.md(
                f"as before the noise: {before:.1f} % → **{after:.1f} %** of the pixels"
                + ("" if result is None else f", in {1000 * result.seconds:.0f} ms")
            ),
            cs.plot.before_after(
                cs.overlay(seen.image, noisy), cs.overlay(seen.image, labels), names=("noisy", "after mean field")
            ),
        ]
    )
    return after, before


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Whom a pixel listens to

    Two pixels with different labels cost

    $$w \exp\left(-\frac{|p-q|^2}{2\sigma^2}\right)\exp\left(-\frac{|c_p-c_q|^2}{2\sigma_c^2}\right),$$

    which is much only if they are near *and* alike. Choose a pixel:
    """)
    return


@app.cell(hide_code=True)
def _(mo, seen):
    row = mo.ui.slider(0, seen.image.shape[0] - 1, 1, value=seen.image.shape[0] // 2, show_value=True, label="row")
    column = mo.ui.slider(
        0, seen.image.shape[1] - 1, 1, value=seen.image.shape[1] // 2, show_value=True, label="column"
    )
    mo.hstack([row, column], justify="start")
    return column, row


@app.cell
def _(color, column, mo, np, row, seen, sigma):
    pixel = (row.value, column.value)
    y, x = np.indices(seen.image.shape[:2])
    colors = seen.image.astype(float)
    near = ((y - pixel[0]) ** 2 + (x - pixel[1]) ** 2) / sigma.value**2
    alike = ((colors - colors[pixel]) ** 2).sum(-1) / color.value**2
    heard = np.exp(-0.5 * (near + alike))
    shown = (seen.image * (0.3 + 0.7 * heard[..., None])).astype(np.uint8)
    shown[(abs(y - pixel[0]) <= 3) & (abs(x - pixel[1]) <= 3)] = (255, 200, 0)
    mo.image(shown, caption=f"bright: what the yellow pixel listens to, as much as {heard.sum():.0f} whole pixels")
    return (heard,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## How it fails

    With a σ of colour of 200 everything looks alike and the largest label wins everywhere. With a tiny one pixels
    believe nobody, and the noise stays. There is no setting for all images; that is why `cs.refine` looks at the
    scores first, and `cs.tune` searches with images that have a truth.

    **Try:** get more than 96 % back at 40 % noise. Then raise the noise to 70 %. Which slider helps?

    ```python
    import classicseg as cs
    labels = cs.refine(image, probabilities)  # chooses all of this
    result = cs.minimize(crf, "mean_field")  # result.marginals: how sure it is
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
