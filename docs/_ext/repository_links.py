"""Rewrite links for the site. In the sources of the pages, links work in the repository.

Links to results and examples become links to their pages. The name of a public object, written as
code, becomes a link to its reference.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

# (link in the repository, document of the site)
PAGES = (
    (r"benchmarks/results/([\w-]+)/table\.md", r"/benchmarks/\1.md"),
    (r"benchmarks/results/([\w-]+)/([\w-]+\.png)", r"/benchmarks/\1/\2"),
    (r"examples/(plot_\w+)\.py", r"/auto_examples/\1.rst"),
    (r"examples/GALLERY_HEADER\.rst", "/auto_examples/index.rst"),
    (r"CHANGELOG\.md", "/changelog.md"),
    (r"SECURITY\.md", "/security.md"),
    (r"README\.md", "/index.md"),
)


def read(app, docname, source):
    """Rewrite the links of a Markdown page."""
    if Path(app.env.doc2path(docname)).suffix != ".md":
        return
    for pattern, page in PAGES:
        source[0] = re.sub(rf"\]\((?:\.\./)*{pattern}\)", rf"]({page})", source[0])
    # remove the blank line that doctest needs at the end of a result
    source[0] = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)


def link_names(app, doctree, _docname=None):
    """Turn `AlphaTransferClassifier` into a link, in text but not in headings or links."""
    docname = app.env.docname
    if docname.startswith(("generated/", "benchmarks/")):
        return
    public = {name.rpartition(".")[2]: name for name in app.config.public_objects}
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removesuffix("()")
        parents = (nodes.title, nodes.reference, addnodes.pending_xref)
        if name not in public or any(isinstance(p, parents) for p in ancestors(literal)):
            continue
        link = addnodes.pending_xref(
            "",
            literal.deepcopy(),
            refdomain="py",
            reftype="obj",
            reftarget=public[name],
            refdoc=docname,
            refwarn=True,
        )
        literal.replace_self(link)


def ancestors(node):
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app):
    app.add_config_value("public_objects", [], "env")
    app.connect("source-read", read)
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
