import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Messages")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # What would you have to tell your neighbour, so that the whole row finds its best labels?

    Twelve pixels stand in a row, and each sees one gray value. Each may talk to its neighbours only. A **message**
    says: *if you are dark, that costs all of us on this side so much; if you are bright, so much.* One message each
    way, and every pixel knows the best labels of the whole row.

    **Guess first:** which pixels will change their minds?
    """)
    return


@app.cell
def _():
    from itertools import pairwise

    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    import classicseg as cs
    from classicseg.learn.pictures import picture

    return cs, mo, np, pairwise, picture, plt


@app.cell(hide_code=True)
def _(mo):
    photo = mo.ui.file(kind="area", label="Drop a photo of your own here")
    where = mo.ui.slider(0, 100, 1, value=50, show_value=True, label="which row of the photo, % from the top")
    tie = mo.ui.slider(0, 3, 0.1, value=1.2, show_value=True, label="cost of two neighbours that differ")
    mo.vstack([photo, where, tie])
    return photo, tie, where


@app.cell
def _(mo, np, photo, picture, where):
    dropped = (photo.name(), photo.contents()) if photo.value else None
    seen = picture(mo.cli_args().get("image"), dropped)
    line = seen.gray[round(where.value / 100 * (len(seen.gray) - 1))].astype(float)
    twelve = line[np.linspace(0, len(line) - 1, 12).astype(int)]
    brightness = (twelve - twelve.min()) / max(np.ptp(twelve), 1)
    unary = 4 * np.stack([brightness, 1 - brightness])  # costs of dark and of bright, (2, 12)
    return brightness, seen, unary


@app.cell
def _(np, pairwise, tie, unary):
    def heard(order):
        """What each pixel hears from the one before it in the order: the costs of its labels there."""
        messages = np.zeros_like(unary)
        for i, j in pairwise(order):
            total = unary[:, i] + messages[:, i]  # what the sender's labels cost, with all that it was told
            messages[:, j] = np.minimum(total, total[::-1] + tie.value)  # it agrees, or pays the tie
            messages[:, j] -= messages[:, j].min()
        return messages

    n = unary.shape[1]
    from_left, from_right = heard(range(n)), heard(range(n - 1, -1, -1))
    beliefs = unary + from_left + from_right
    return beliefs, from_left, from_right


@app.cell
def _(beliefs, from_left, from_right, np, plt, unary):
    figure, axes = plt.subplots(4, 1, figsize=(7.6, 5.6), sharex=True, sharey=True, layout="constrained")
    titles = ("alone: what each label costs", "heard from the left", "heard from the right", "all together")
    for ax, costs, title in zip(axes, (unary, from_left, from_right, beliefs), titles, strict=True):
        for label, (name, shade) in enumerate((("dark", "#0072b2"), ("bright", "#e69f00"))):
            ax.bar(np.arange(12) + 0.4 * label - 0.2, costs[label], 0.4, color=shade, label=name)
        ax.set_title(title, loc="left", fontsize="medium")
    axes[0].legend(ncols=2, fontsize="small")
    axes[-1].set_xticks(range(12), [("dark", "bright")[label] for label in beliefs.argmin(0)], fontsize="small")
    figure
    return


@app.cell
def _(beliefs, cs, mo, tie, unary):
    row = cs.GridCRF(unary, cs.Potts(tie.value))
    exact = cs.minimize(row, "trws")
    energy = row.energy(beliefs.argmin(0))
    changed = int((beliefs.argmin(0) != unary.argmin(0)).sum())
    mo.md(
        f"Pixels that changed their minds: **{changed}**. The energy of what they found is **{energy:.2f}**; the bound "
        f"of TRW-S is {exact.lower_bound:.2f}: on a row, one message each way is exact."
    )
    return changed, energy, exact


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## In circles

    On an image there are circles, and messages come back to who sent them: a rumour that confirms itself. *Belief
    propagation* sends on regardless. *TRW-S* splits the image into chains that must agree; its **bound** tells how
    much they still differ.
    """)
    return


@app.cell
def _(cs, seen, tie):
    image = seen.image[::4, ::4]
    crf = cs.GridCRF(
        cs.unary_from_probabilities(seen.probabilities[:, ::4, ::4]), cs.Potts(tie.value), cs.contrast_weights(image)
    )
    for _name in ("belief_propagation", "trws"):
        cs.minimize(crf, _name, max_iter=1)  # the first run compiles
    runs = {name: cs.minimize(crf, name, max_iter=25) for name in ("belief_propagation", "trws")}
    cs.plot.trace(runs)
    return (runs,)


@app.cell(hide_code=True)
def _(mo, runs):
    mo.md(f"""
    After 25 passes: belief propagation {runs["belief_propagation"].energy:.1f}, TRW-S {runs["trws"].energy:.1f} with
    a bound of {runs["trws"].lower_bound:.1f}.

    **Try:** make the tie 0, then 3. At which tie does the whole row agree? Find a row in which a pixel is overruled
    although it is far surer than its neighbours.

    ```python
    import classicseg as cs
    result = cs.minimize(cs.GridCRF(unary, cs.Potts(1.2)), "trws")
    cs.plot.trace(result)
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
