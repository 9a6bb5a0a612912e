"""Show `NAME-narrow.png` in the place of `NAME.png` on phones, where there is such a file."""

from pathlib import Path

from docutils import nodes


def add(app, doctree):
    """Put the narrow form of a figure beside it; the style sheet shows one of the two."""
    for image in list(doctree.findall(nodes.image)):
        narrow = image["uri"].replace(".png", "-narrow.png")
        if narrow != image["uri"] and Path(app.env.relfn2path(narrow)[1]).exists():
            other = image.copy()
            other["uri"] = narrow
            image["classes"].append("only-wide")
            other["classes"].append("only-narrow")
            image.parent.insert(image.parent.index(image) + 1, other)


def setup(app):
    # before Sphinx collects the images
    app.connect("doctree-read", add, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
