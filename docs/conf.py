"""The documentation site: `make docs` builds it, and whatever it warns of is an error.

The pages are the CommonMark that a forge shows too. The nav is in `index.md`. The theme carries its own styles and
script, so a page asks nothing of any other place.
"""

project = "hansa"
html_title = "hansa"
extensions = ["myst_parser"]
exclude_patterns = ["deploy"]
myst_heading_anchors = 4  # links to headings, as a forge makes them
highlight_language = "none"
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
