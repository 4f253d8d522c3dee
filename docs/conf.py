"""Configuration of Sphinx: ``sphinx-build docs build/docs``."""
import pathlib
import re
import shutil

import amigocloud

HERE = pathlib.Path(__file__).parent

project = 'amigocloud'
author = 'AmigoCloud'
version = release = amigocloud.__version__

extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'myst_nb']
exclude_patterns = ['_build']
default_role = 'literal'
highlight_language = 'python'

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
napoleon_numpy_docstring = False

# The notebooks are shown with the outputs that they were stored with.
nb_execution_mode = 'off'

html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['site.css']
html_title = 'amigocloud {}'.format(version)


def copy_notebooks(app):
    """Sphinx reads only what is below this folder."""
    folder = HERE / 'notebooks'
    folder.mkdir(exist_ok=True)
    for notebook in (HERE.parent / 'examples').glob('*.ipynb'):
        shutil.copy(notebook, folder)


def mark_examples(app, what, name, obj, options, lines):
    """The examples of the docstrings are code, which napoleon takes for prose unless it begins with ``>>>``."""
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
    # Before napoleon.
    app.connect('autodoc-process-docstring', mark_examples, priority=400)
