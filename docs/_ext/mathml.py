"""Formulas as MathML, which browsers draw without scripts, fonts and network."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


# Without a mathematical font, narrow accents overlap the letter, and wide accents do not.
WIDE = {"bar": "overline", "tilde": "widetilde", "hat": "widehat"}


def mathml(node, display):
    source = node.astext()
    wide = re.sub(r"\\(bar|tilde|hat)\b", lambda match: f"\\{WIDE[match[1]]}", source)
    try:
        return tex2mathml(wide, as_block=display)
    except MathError as error:
        logger.warning("no MathML for %r: %s", source, error, location=node)
        return source


def visit_inline(translator, node):
    translator.body.append(mathml(node, display=False))
    raise nodes.SkipNode


def visit_display(translator, node):
    translator.body.append(f'<div class="formula">{mathml(node, display=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
