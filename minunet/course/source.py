"""Show the library's own source in a notebook, so that the page always shows the code that runs."""

import inspect
import re
import textwrap


def show_source(*functions, docstring: bool = False):
    """Return the source of functions or classes, highlighted; without docstrings, unless asked for."""
    from IPython.display import Code

    sources = [textwrap.dedent(inspect.getsource(function)).rstrip() for function in functions]
    if not docstring:
        sources = [_without_docstring(source) for source in sources]
    return Code("\n\n\n".join(sources), language="python")


def _without_docstring(source: str) -> str:
    return re.sub(r'\n *""".*?""" *(?=\n)', "", source, count=1, flags=re.DOTALL)
