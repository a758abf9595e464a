import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Who finds the best labelling?")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # One energy, many solvers: who finds the best labelling, and who can say so?

    An **energy** says what is wanted, a **solver** how it is found. Some solvers also give a **bound** that no
    labelling's energy is below. The gap between the two is all that is left to be found; where it is 0, the labels
    are proven best.

    **Guess first:** who gets lowest? *ICM* (one pixel at a time), *expansion* (one label at a time, by minimum cuts),
    *belief propagation* or *TRW-S* (messages)?
    """)
    return


@app.cell
def _():
    import marimo as mo

    import classicseg as cs
    from classicseg.learn.pictures import picture

    return cs, mo, picture


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
    strength = mo.ui.slider(0, 10, 0.25, value=2, show_value=True, label="λ, the cost of different neighbours")
    contrast = mo.ui.switch(value=True, label="less where the photo has an edge")
    connectivity = mo.ui.radio({"4 neighbours": 4, "8 neighbours": 8}, value="4 neighbours")
    solvers = mo.ui.multiselect(
        ["icm", "expansion", "swap", "belief_propagation", "trws", "trws_expansion"],
        value=["icm", "belief_propagation", "expansion", "trws"],
        label="solvers",
    )
    mo.vstack([strength, contrast, connectivity, solvers])
    return connectivity, contrast, solvers, strength


@app.cell
def _(connectivity, contrast, cs, seen, strength):
    crf = cs.GridCRF(
        cs.unary_from_probabilities(seen.probabilities[:, ::2, ::2]),  # every other pixel
        cs.Potts(strength.value),
        cs.contrast_weights(seen.image[::2, ::2], connectivity=connectivity.value) if contrast.value else None,
        connectivity=connectivity.value,
    )
    return (crf,)


@app.cell
def _(crf, cs, mo, solvers):
    mo.stop(not solvers.value, mo.md("Choose a solver."))
    for _name in solvers.value:
        cs.minimize(crf, _name, max_iter=1)  # the first run compiles
    results = {name: cs.minimize(crf, name, max_iter=20) for name in solvers.value}
    cs.plot.trace(results, logarithmic=True)
    return (results,)


@app.cell
def _(mo, results):
    mo.ui.table(
        [
            {
                "solver": name,
                "energy": round(result.energy, 1),
                "bound": None if result.lower_bound is None else round(result.lower_bound, 1),
                "gap, %": None if result.gap is None else round(100 * result.gap / result.energy, 3),
                "iterations": result.n_iter,
                "milliseconds": round(1000 * result.seconds),
            }
            for name, result in sorted(results.items(), key=lambda item: item[1].energy)
        ],
        selection=None,
    )
    return


@app.cell
def _(cs, mo, results, seen):
    mo.hstack(
        [mo.image(cs.overlay(seen.image[::2, ::2], result.labels), caption=name) for name, result in results.items()],
        widths="equal",
        wrap=True,
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## What to look for

    * ICM is quick and gets stuck near where it began.
    * Expansion comes within a percent, and says nothing about how good that is.
    * TRW-S raises its bound in every pass. Where bound and energy meet, you may stop: **nobody** can do better.
    * Less energy is not always a better picture. With λ at 10 the best labelling is nearly proven, and wrong: the
      energy asks for too much.

    **Try:** switch contrast off, and find the λ at which the spoon survives. Switch it on again.

    ```python
    import classicseg as cs
    crf = cs.GridCRF(cs.unary_from_probabilities(p), cs.Potts(2), cs.contrast_weights(image))
    result = cs.minimize(crf)  # result.energy, result.lower_bound, result.gap
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
