import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Split and merge")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # How can a picture fall into regions when no single gray value tells them apart?

    A threshold asks one question of every pixel. **Split and merge** asks it of *blocks*: are your gray values within
    a range? A block that says no is cut into four. Then neighbours that would say yes *together* are joined.

    **Guess first:** if you allow a larger range, will there be more regions or fewer? And more blocks?
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
    gray = picture(mo.cli_args().get("image"), dropped).gray
    return (gray,)


@app.cell(hide_code=True)
def _(mo):
    allowed = mo.ui.slider(4, 120, 4, value=40, show_value=True, label="range that a region may have")
    smallest = mo.ui.slider(1, 400, 1, value=1, show_value=True, label="regions of fewer pixels join a neighbour")
    order = mo.ui.dropdown(["fast", "best_first"], "fast", label="which neighbours merge first")
    mo.vstack([allowed, smallest, order])
    return allowed, order, smallest


@app.cell
def _(allowed, cs, gray, mo, order, smallest):
    rule = cs.Range(allowed.value)
    blocks = cs.quadtree(gray, rule)
    labels = cs.split_and_merge(gray, rule, merge=order.value, min_area=smallest.value)
    mo.hstack(
        [
            mo.image(cs.plot.quadtree(gray, blocks), caption=f"split: {len(blocks)} blocks"),
            mo.image(cs.plot.regions(gray, labels), caption=f"merged: {labels.max()} regions"),
        ],
        widths="equal",
    )
    return blocks, labels


@app.cell(hide_code=True)
def _(blocks, labels, mo):
    mo.md(f"""
    Merging has joined **{len(blocks)}** blocks into **{labels.max()}** regions. Without it, the borders of blocks
    would be borders of regions, though nothing in the picture is square.

    ## Other questions

    What a region must be is up to you. A *range* is strict: one bright pixel breaks it. A *standard deviation*
    forgives single pixels; a *difference of means* compares what would be joined.
    """)
    return


@app.cell
def _(allowed, cs, gray, mo):
    rules = {
        "range": cs.Range(allowed.value),
        "standard deviation": cs.StdDev(allowed.value / 4),
        "difference of means": cs.MeanDifference(allowed.value / 2),
    }
    found = {name: cs.split_and_merge(gray, other, min_area=20) for name, other in rules.items()}
    mo.hstack(
        [
            mo.image(cs.plot.regions(gray, each), caption=f"{name}: {each.max()} regions")
            for name, each in found.items()
        ],
        widths="equal",
    )
    return (found,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## How it fails

    A slow change of light, as on a wall beside a window, has a large range in all and none anywhere: it falls into
    stripes. No threshold mends that. What does: a rule about neighbours rather than regions, or an energy, the topic
    `energies`.

    **Try:** find the range with the fewest regions that still keeps what matters to you apart. Then let small regions
    join their neighbours instead. Which of the two keeps outlines better?

    ```python
    import classicseg as cs
    labels = cs.split_and_merge(gray, cs.Range(40), min_area=20)
    table = cs.describe_regions(labels, gray)  # area, mean, box, neighbours of each region
    ```
    """)
    return


if __name__ == "__main__":
    app.run()
