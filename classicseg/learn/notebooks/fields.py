import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Receptive fields")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Which pixels can change what a network says about one of them?

    A convolution of 3 x 3 looks at nine pixels. Put a second one on top and it is 25; a third, 49. **Dilation**
    spreads the nine taps, and the field grows without a single weight more.

    **Guess first:** three convolutions with dilations 2, 2, 2 or with 1, 2, 5: whose field is larger, and which one
    sees every pixel in it?
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np

    from classicseg.learn.pictures import picture

    return mo, np, picture


@app.cell(hide_code=True)
def _(mo):
    photo = mo.ui.file(kind="area", label="Drop a photo of your own here")
    dilations = mo.ui.array([mo.ui.slider(1, 16, 1, value=d, show_value=True) for d in (2, 2, 2)], label="dilations")
    zoom = mo.ui.slider(1, 8, 1, value=4, show_value=True, label="pixels of the photo for one of the network")
    mo.vstack([photo, dilations, zoom])
    return dilations, photo, zoom


@app.cell
def _(dilations, np):
    def ways(rates):
        """In how many ways each pixel reaches the one in the middle, through convolutions of 3 x 3."""
        line = np.ones(1)
        for rate in rates:
            taps = np.zeros(2 * rate + 1)
            taps[[0, rate, -1]] = 1
            line = np.convolve(line, taps)
        return np.outer(line, line)  # rows and columns are independent

    field = ways(dilations.value)
    side, holes = len(field), float((field == 0).mean())
    return field, holes, side, ways


@app.cell
def _(field, holes, mo, np, side):
    shown = (255 * (field / field.max()) ** 0.5).astype(np.uint8)
    mo.vstack(
        [
            mo.image(
                np.kron(shown, np.ones((8, 8), np.uint8)), width=320, caption="the brighter, the more ways lead there"
            ),
            mo.md(f"**{side} x {side}** pixels with 27 weights, of which **{holes:.0%}** are never seen."),
        ]
    )
    return


@app.cell
def _(field, mo, np, photo, picture, zoom):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    image = picture(mo.cli_args().get("image"), dropped).image
    large = np.kron(field > 0, np.ones((zoom.value, zoom.value), bool))
    rows, columns = (np.arange(n) - n // 2 + len(large) // 2 for n in image.shape[:2])
    inside = ((rows >= 0) & (rows < len(large)))[:, None] & ((columns >= 0) & (columns < len(large)))
    seen = inside & large[np.clip(rows, 0, len(large) - 1)[:, None], np.clip(columns, 0, len(large) - 1)]
    mo.image(np.where(seen[..., None], image, image // 4), caption="what the middle pixel can be told from")
    return (seen,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    The middle of a cup and the middle of a table look the same through a small window. That is why networks shrink
    images (U-Net), dilate (DeepLab), and why their outlines need a CRF afterwards.

    ## Who draws checkerboards?

    A decoder has to enlarge. A *transposed* convolution spreads each value over a window. Where windows overlap
    unevenly, some pixels are written more often than others, whatever the network has learned:
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    window = mo.ui.slider(1, 8, 1, value=3, show_value=True, label="window")
    stride = mo.ui.slider(1, 4, 1, value=2, show_value=True, label="stride")
    mo.hstack([window, stride], justify="start")
    return stride, window


@app.cell
def _(mo, np, stride, window):
    written = np.zeros(12 * stride.value + window.value, int)
    for k in range(12):
        written[k * stride.value : k * stride.value + window.value] += 1
    inner = written[window.value : 12 * stride.value]  # away from the ends
    counts = np.outer(inner, inner)
    even = len(np.unique(inner)) == 1
    mo.vstack(
        [
            mo.image(
                np.kron((255 * counts / max(counts.max(), 1)).astype(np.uint8), np.ones((10, 10), np.uint8)),
                width=320,
                caption="how often each pixel is written",
            ),
            mo.md(
                f"{', '.join(map(str, np.unique(counts)))} times: "
                + ("no checkerboard." if even else "**a checkerboard**, before anything is learned.")
            ),
        ]
    )
    return counts, even


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    **Try:** find three dilations with a field of at least 17 and no holes. Find all windows that draw no checkerboard
    at stride 2, and at stride 3. What do they have in common? (The other remedy: enlarge first, then convolve.)

    ```python
    from classicseg.torch import networks  # needs PyTorch
    network = networks.build("deeplabv3_50", n_labels=5)  # dilated; see also "unet"
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
