"""Sphinx configuration: `python -m sphinx -W --keep-going docs docs/_build/html`, offline."""

import os
import re
import sys
from importlib import import_module
from pathlib import Path

# One thread for each process, as in the tests. NumPy reads this when it is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")
# No library may download anything.
os.environ["HF_HUB_OFFLINE"] = "1"

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

from sphinx_gallery.sorting import ExplicitOrder  # noqa: E402

import sklearn_alpha  # noqa: E402

project = "sklearn_alpha"
author = "The sklearn_alpha developers"
project_copyright = author
version = release = sklearn_alpha.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "benchmark_pages",
    "mathml",
    "narrow_figures",
    "repository_links",
]
exclude_patterns = ["_build", "_ext", "examples/README*", "examples/GALLERY_HEADER.rst"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
python_use_unqualified_type_names = True
# the configuration contains functions
suppress_warnings = ["config.cache"]
html_math_renderer = "mathml"
default_role = "literal"  # of single backticks in docstrings
smartquotes = False  # options start with two hyphens
toc_object_entries_show_parents = "hide"

# API pages: one for each public object, with the methods that this package defines.
MODULES = ("linear_model", "neural_network", "inspection", "theory", "datasets")
PUBLIC = {
    f"sklearn_alpha.{module}.{name}": getattr(import_module(f"sklearn_alpha.{module}"), name)
    for module in MODULES
    for name in import_module(f"sklearn_alpha.{module}").__all__
}


def own_methods(fullname):
    """Public methods and properties of a class that this package defines and documents."""
    names = {}
    for base in reversed(PUBLIC[fullname].__mro__):
        if base.__module__.startswith("sklearn_alpha"):
            names |= vars(base)
    return ", ".join(
        name
        for name, value in names.items()
        if not (name.startswith(("_", "set_")) or name.endswith("_"))
        and (isinstance(value, property) or re.search(r"\n +-{5,}\n", value.__doc__ or ""))
    )


public_objects = list(PUBLIC)
autosummary_context = {"own_methods": own_methods}
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks = set()


def figure_style(_gallery, _script):
    """The style of the gallery's figures."""
    import matplotlib.pyplot as plt

    plt.rcdefaults()
    plt.rcParams.update(
        {
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "0.92",
            "legend.frameon": False,
        }
    )


sphinx_gallery_conf = {
    "write_computation_times": False,  # that page loads scripts from the network
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder(
        [
            f"plot_{name}.py"
            for name in (
                "source_scale",
                "text_pipeline",
                "alpha_path_theory",
                "negative_transfer",
                "several_sources",
                "digits_transfer",
                "multiclass",
                "regression",
                "calibration",
                "streaming",
                "grid_search",
                "alpha_layers",
                "*",
            )
        ]
    ),
    "reset_modules": ("matplotlib", figure_style),
    "doc_module": ("sklearn_alpha",),
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "plot_gallery": "True",
}

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_sidebars = {
    page: []
    for page in (
        "index",
        "install",
        "tour",
        "comparison",
        "glossary",
        "development/architecture",
        "cite",
        "security",
        "changelog",
    )
}
html_theme_options = {
    "logo": {"text": project},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
