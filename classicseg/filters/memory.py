"""How much memory lattices and what is filtered with them take: estimated before any of it is asked for."""
from classicseg.kernels.dense.bank import RowLayout
_FLOAT=4
def duplicates_cost_more(n_duplicates: int, layout: RowLayout, nbytes: int) -> bool:
    """Whether duplicates in a second row array of `layout` take much more memory than `nbytes`, another index."""
    return _FLOAT * n_duplicates * layout.n_panels * len(layout.lanes) > 2 * nbytes
