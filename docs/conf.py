"""Configuration of Sphinx: ``sphinx-build docs build/docs``."""
import pathlib
import re
import shutil

import amigocloud

HERE = pathlib.Path(__file__).parent
REPOSITORY = 'https://github.com/amigocloud/python-amigocloud'

project = 'amigocloud'
author = 'AmigoCloud'
copyright = 'AmigoCloud'
version = release = amigocloud.__version__

extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'myst_nb', 'sphinx_copybutton', 'sphinx_design']
exclude_patterns = ['_build']
default_role = 'literal'
highlight_language = 'python'

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
napoleon_numpy_docstring = False

# Do not copy output, which is `code:: text`.
copybutton_selector = 'div.highlight-python pre, div.highlight-sh pre'

# Show the notebooks with their stored outputs.
nb_execution_mode = 'off'

html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['site.css']
html_title = 'amigocloud {}'.format(version)
html_theme_options = {'footer_icons': [{
    'name': 'Repository', 'url': REPOSITORY, 'class': '',
    'html': '<span>Repository</span>',
}]}


def copy_notebooks(app):
    """Copy the notebooks below this folder, because Sphinx reads nothing outside of it."""
    folder = HERE / 'notebooks'
    folder.mkdir(exist_ok=True)
    for notebook in (HERE.parent / 'examples').glob('*.ipynb'):
        shutil.copy(notebook, folder)


def mark_examples(app, what, name, obj, options, lines):
    """Mark the examples of docstrings as code; napoleon takes them for prose unless they begin with ``>>>``."""
    inside = False
    for number, line in enumerate(lines[:]):
        if line.strip() == 'Example:':
            inside = '>>>' not in lines[number + 1]
            if inside:
                lines[number] = line + '\n\n' + re.match(' *', lines[number + 1]).group() + '.. code:: python\n'
        elif inside and line.strip() and not line.startswith(' '):
            inside = False
        elif inside and line.strip():
            lines[number] = '    ' + line
    lines[:] = '\n'.join(lines).split('\n')


def setup(app):
    app.connect('builder-inited', copy_notebooks)
    # Run this before napoleon, which has priority 500.
    app.connect('autodoc-process-docstring', mark_examples, priority=400)
