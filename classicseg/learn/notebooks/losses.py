import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Losses")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # What does a network work on when nearly everything is background?

    10,000 pixels, few of them of the object. Training lowers the *sum* of what pixels cost, so it works on what makes
    up the sum. **Guess first:** 97 % are background and nearly right; 3 % are the object and wrong. Which part is
    larger?
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    import classicseg as cs
    from classicseg.learn.pictures import picture
    from classicseg.reference import losses

    return cs, losses, mo, np, picture, plt


@app.cell(hide_code=True)
def _(mo):
    share = mo.ui.slider(0.1, 50, 0.1, value=3, show_value=True, label="the object's share, %")
    background = mo.ui.slider(0.05, 0.99, 0.01, value=0.8, show_value=True, label="p of the right label on background")
    object_ = mo.ui.slider(0.05, 0.99, 0.01, value=0.3, show_value=True, label="p of the right label on the object")
    gamma = mo.ui.slider(0, 6, 0.5, value=2, show_value=True, label="γ of the focal loss")
    mo.vstack([share, background, object_, gamma])
    return background, gamma, object_, share


@app.cell
def _(background, gamma, losses, np, object_, share):
    counts = np.round([100 * (100 - share.value), 100 * share.value])
    p = np.array([background.value, object_.value])
    logits = np.log([[p[0], 1 - p[1]], [1 - p[0], p[1]]])  # a pixel of background, one of the object
    truth = np.array([0, 1])
    entropy = losses.cross_entropy(logits, truth) * counts
    focal = losses.focal(logits, truth, gamma.value) * counts
    return counts, entropy, focal, p


@app.cell
def _(counts, p):
    # Dice compares regions, so counts of pixels are all that it needs: here of the object
    hit, false = counts[1] * p[1], counts[0] * (1 - p[0])
    dice = 1 - 2 * hit / (hit + false + counts[1])
    return (dice,)


@app.cell
def _(dice, entropy, focal, gamma, mo):
    mo.md(f"""
    | loss | background | object | the object's part |
    |---|---:|---:|---:|
    | cross-entropy | {entropy[0]:.1f} | {entropy[1]:.1f} | {entropy[1] / entropy.sum():.0%} |
    | focal, γ = {gamma.value:g} | {focal[0]:.1f} | {focal[1]:.1f} | {focal[1] / focal.sum():.0%} |

    Dice of the object: {dice:.3f}. It does not know how much background there is, only how much of it is taken for
    object.
    """)
    return


@app.cell
def _(gamma, np, p, plt):
    figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    x = np.linspace(0.01, 1, 200)
    for power, shade in ((0, "#404040"), (gamma.value, "#d55e00")):
        ax.plot(x, -((1 - x) ** power) * np.log(x), color=shade, label=f"γ = {power:g}")
    for where, name in zip(p, ("background", "object"), strict=True):
        ax.axvline(where, color="#bbbbbb", linestyle=":")
        ax.annotate(name, (where, 2.8), rotation=90, va="top", ha="right", fontsize="small")
    ax.set(xlabel="probability of the right label", ylabel="loss of one pixel", ylim=(0, 3))
    ax.legend()
    figure
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## On a picture

    Which pixels would a network work on? The sample has a truth; for a photo of your own, its surest labels stand in
    for one, so that only doubts are left.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    photo = mo.ui.file(kind="area", label="Drop a photo of your own here")
    photo
    return (photo,)


@app.cell
def _(cs, gamma, losses, mo, np, photo, picture):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    given = mo.cli_args().get("image")
    seen = picture(given, dropped)
    is_sample = dropped is None and given is None
    right = cs.sample().truth if is_sample else seen.probabilities.argmax(0)
    scored = right != 255
    scores = np.log(seen.probabilities.reshape(len(seen.names), -1) + 1e-3)
    flat = np.where(scored, right, 0).ravel().astype(int)
    maps = {
        "cross-entropy": losses.cross_entropy(scores, flat),
        f"focal, γ = {gamma.value:g}": losses.focal(scores, flat, gamma.value),
    }
    maps = {name: each.reshape(right.shape) * scored for name, each in maps.items()}
    mo.hstack(
        [mo.image(seen.image, caption="the picture")]
        + [
            mo.image((255 * each / max(each.max(), 1e-9)).astype(np.uint8), caption=name) for name, each in maps.items()
        ],
        widths="equal",
    )
    return maps, scored


@app.cell
def _(maps, mo, np, scored):
    def half(costs):
        """The smallest share of pixels that makes up half of the loss."""
        falling = np.sort(costs[scored])[::-1].cumsum()
        return np.searchsorted(falling, falling[-1] / 2) / falling.size

    shares = {name: half(each) for name, each in maps.items()}
    mo.md("; ".join(f"half of **{name}** is made by {value:.1%} of the pixels" for name, value in shares.items()) + ".")
    return (shares,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## How it fails

    A large γ looks at the worst pixels only, and the worst are often those whose *truth* is wrong. Dice is harsh to
    objects of a few pixels: one more or less, and it jumps.

    **Try:** at which γ do background and object weigh the same? Let the network get better on background: does Dice
    notice?

    ```python
    from classicseg.torch import losses  # with gradients; needs PyTorch
    loss = losses.FocalLoss(gamma=2)(logits, labels)
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
