import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="What does a labelling cost?")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # What does a labelling cost, and which one costs least?

    Each of 36 pixels is to be 0 or 1. A pixel that disagrees with what was seen there pays its **unary** cost, and
    each pair of neighbours that disagree with each other pays the **pairwise** cost. The sum is the **energy**: all
    that a conditional random field is.

    Below is a small picture with noise. **Change its labels** (a click on a number, or drag it) and try to get the
    energy down as far as it goes, before you look at the answer.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import numpy as np

    import classicseg as cs
    from classicseg.learn.pictures import picture

    return cs, mo, np, picture


@app.cell
def _(mo, np, picture):
    if "image" in mo.cli_args():  # a photo of your own, as 6 x 6 blocks
        gray = picture(mo.cli_args()["image"]).gray
        rows, columns = (np.array_split(np.arange(n), 6) for n in gray.shape)
        means = np.array([[gray[np.ix_(r, c)].mean() for c in columns] for r in rows])
        seen = (means - means.min()) / max(np.ptp(means), 1)
    else:
        truth = np.zeros((6, 6))
        truth[1:5, 2:5] = 1
        seen = np.clip(truth + np.random.default_rng(4).normal(0, 0.45, truth.shape), 0, 1).round(1)
    return (seen,)


@app.cell(hide_code=True)
def _(mo):
    tie = mo.ui.slider(0, 2, 0.1, value=0.4, show_value=True, label="cost of two neighbours that disagree")
    tie
    return (tie,)


@app.cell
def _(cs, np, seen, tie):
    unary = np.stack([seen, 1 - seen])  # what labels 0 and 1 cost at each pixel
    crf = cs.GridCRF(unary, cs.Potts(tie.value), connectivity=4)
    best = cs.minimize(crf, "graph_cut")
    return best, crf, unary


@app.cell(hide_code=True)
def _(mo, seen):
    mine = mo.ui.matrix((seen > 0.5).astype(int), min_value=0, max_value=1, step=1, label="your labels")
    return (mine,)


@app.cell
def _(crf, mine, mo, np, seen):
    labels = np.array(mine.value, int)
    terms = crf.terms(labels)
    grays = np.kron((255 * seen).astype(np.uint8), np.ones((32, 32), np.uint8))
    mo.hstack([mo.image(grays, caption="what is seen"), mine], widths="equal")
    return labels, terms


@app.cell(hide_code=True)
def _(best, crf, labels, mo, terms):
    _parts = "\n".join(f"| {name} | {value:.2f} |" for name, value in terms.items())
    _energy = crf.energy(labels)
    _said = (
        "There is none with less."
        if _energy <= best.energy + 1e-6
        else f"You can still save **{_energy - best.energy:.2f}**."
    )
    mo.md(f"""
    | term | cost |
    |---|---:|
    {_parts}
    | **energy of your labels** | **{_energy:.2f}** |

    {_said}
    """)
    return


@app.cell
def _(best, mo):
    mo.accordion({f"The answer: {best.energy:.2f}": mo.plain_text(str(best.labels))})
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Can you always walk downhill?

    *Iterated conditional modes* does what you may have done: change one pixel after the other while that lowers the
    energy. It stops where no single change helps, which need not be the bottom. A *minimum cut* looks at all pixels
    at once.
    """)
    return


@app.cell
def _(best, crf, cs, mo, np):
    starts = [np.random.default_rng(seed).integers(0, 2, crf.shape) for seed in range(20)]
    ends = [cs.minimize(crf, "icm", init=start).energy for start in starts]
    trapped = sum(energy > best.energy + 1e-6 for energy in ends)
    mo.md(
        f"From 20 random labellings, walking downhill ends in a trap **{trapped}** times: at {min(ends):.2f} at best, "
        f"{max(ends):.2f} at worst, where {best.energy:.2f} is possible."
    )
    return ends, trapped


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    **Try:** at which cost of disagreement is everything 0, or everything 1? At which is every pixel left alone? Where
    are the traps most frequent?

    ```python
    import classicseg as cs
    crf = cs.GridCRF(unary, cs.Potts(0.4), connectivity=4)
    result = cs.minimize(crf)  # .labels, .energy, .lower_bound
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
