"""Formulas as MathML, which browsers draw themselves: no script, no picture, no network."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

SAID = logging.getLogger(__name__)
BOLD = {str(digit): chr(0x1D7CE + digit) for digit in range(10)}


def mathml(tex, block):
    """The formula; a command that is not known is an error, or it would be printed as it is."""
    made = convert(tex, display="block" if block else "inline")
    if unknown := re.findall(r"\\[a-zA-Z]+", made):
        raise ValueError(f"unknown commands {', '.join(unknown)} in {tex!r}")
    made = re.sub(r"<msup><mi>(\w)</mi><m[io]>(&#x02032;)</m[io]></msup>", r"<mi>\1\2</mi>", made)  # l'
    made = re.sub(
        r"(?<!<msub>)(?<!<msup>)(?<!<munder>)(<m[io]>(?:log|exp|min|max)</m[io]>)(?=<m(?:i|sub)>)",
        r'\1<mspace width="0.17em"/>',
        made,
    )
    return re.sub(r'<mn mathvariant="bold">(\d)</mn>', lambda found: f"<mn>{BOLD[found[1]]}</mn>", made)


def visit(self, node, block):
    try:
        made = mathml(node.astext(), block)
    except Exception as failure:  # whatever the converter raises, the page and the formula are named
        SAID.warning("a formula cannot be read: %s", failure, location=node)
        made = ""
    number = node.get("number")
    if block:
        label = "" if number is None else f'<span class="eqno">({number})</span>'
        made = f'<div class="math-block" tabindex="0">{label}{made}</div>'
    self.body.append(made)
    raise nodes.SkipNode


def setup(app):
    """Make it a renderer for ``html_math_renderer``."""
    app.add_html_math_renderer(
        "mathml",
        (lambda self, node: visit(self, node, block=False), None),
        (lambda self, node: visit(self, node, block=True), None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
