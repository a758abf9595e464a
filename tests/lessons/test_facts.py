"""What pages know of losses and networks is what the library says today."""

import pytest

pytest.importorskip("torch")

from tests.lessons.modules import facts


def _same(found, kept):
    if isinstance(kept, float):
        assert found == pytest.approx(kept, rel=1e-9, abs=1e-15)
    elif isinstance(kept, dict):
        assert found.keys() == kept.keys()
        for name in kept:
            _same(found[name], kept[name])
    else:
        assert found == kept


@pytest.mark.parametrize(
    ("kind", "ask", "cases"),
    [
        ("losses", facts.loss_of, facts.LOSSES),
        ("descents", facts.descent, facts.DESCENTS),
        ("stacks", facts.paths, facts.STACKS),
        ("overlaps", lambda case: facts.overlap(*case), facts.OVERLAPS),
    ],
)
def test_facts_of_losses_and_layers_are_fresh(kind, ask, cases):
    for case, kept in zip(cases, facts.kept()[kind], strict=True):
        _same(ask(case), kept)


@pytest.mark.parametrize(
    "name", [name if name == "pspnet50" else pytest.param(name, marks=pytest.mark.slow) for name in facts.NETWORKS]
)
def test_facts_of_networks_are_fresh(name):
    kept = {network["name"]: network for network in facts.kept()["networks"]}[name]
    _same(facts.network(name), kept)
