"""The README's code prints what the README says, and CI runs the README's test command."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_python_prints_what_the_readme_says(monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # a user runs it outside of pytest, where gradcheck's dy is from seed 0
    blocks = re.findall(r"```python\n(.*?)```\s+```text\n(.*?)```", README, re.DOTALL)
    assert blocks
    names = {}
    for code, printed in blocks:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, names)  # each block goes on where the one before ended
        assert without_rounding(output.getvalue()) == without_rounding(printed)


def without_rounding(text):
    """Errors such as 1.2e-10 and the last digits of a number differ from machine to machine."""
    return re.sub(r"\d\.\de-\d\d", "ERROR", text).split()


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = re.findall(r"^python -m pip install .*pytest.*$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_every_link_into_the_repository_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
