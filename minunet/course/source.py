"""Show the library's own source in a notebook, so that the page always shows the code that runs."""

import inspect
import re
import textwrap

FONT = "var(--jp-code-font-family, monospace)"  # JupyterLab's, where there is one


def show_source(*functions, docstring: bool = False):
    """Return the source of functions or classes, highlighted; without docstrings, unless asked for."""
    from IPython.display import Code

    class Source(Code):
        """As Code, but in a font for code in nbconvert's pages, too."""

        def _repr_html_(self):
            return super()._repr_html_().replace("<pre>", f'<pre style="font-family: {FONT}">', 1)

    sources = [textwrap.dedent(inspect.getsource(function)).rstrip() for function in functions]
    if not docstring:
        sources = [_without_docstring(source) for source in sources]
    return Source("\n\n\n".join(sources), language="python")


def _without_docstring(source: str) -> str:
    return re.sub(r'\n *""".*?""" *(?=\n)', "", source, count=1, flags=re.DOTALL)
