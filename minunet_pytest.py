"""The pytest plugin: where a test fails at `assert gradcheck(...)`, print the report whole.

pytest itself shortens what it shows of an asserted value to a line, with line breaks written as \\n. pytest loads this
file at each start, in every project, so it stands outside the package: it imports nothing of it, and does nothing
unless the test has used gradcheck.
"""

import re
import sys

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.excinfo is None or "minunet.gradcheck.report" not in sys.modules:
        return
    try:
        _add_reports(outcome.get_result().longrepr, call.excinfo)
    except Exception:  # whatever fails here, the test's own failure is shown
        pass


def _add_reports(failure, excinfo):
    """Add to a test's failure the reports that its failing line has looked at, unless its message holds them."""
    Report = sys.modules["minunet.gradcheck.report"].Report
    variables = excinfo.traceback[-1].frame.f_locals
    reports = {name: value for name, value in variables.items() if isinstance(value, Report)}
    asserted = {name: value for name, value in reports.items() if name.startswith("@py_assert")}  # pytest's own
    shown = str(excinfo.value)
    for name, report in (asserted or reports).items():
        if str(report) not in shown:
            failure.addsection("gradcheck" if name in asserted else f"gradcheck: {name}", str(report))
            shown += str(report)
            _keep_first_lines(failure, str(report).partition("\n")[0])


def _keep_first_lines(failure, first_line: str):
    """Where pytest shows a shortened report, leave the report's first line."""
    shortened = re.compile(re.escape(first_line) + r"\\n.*?(?= = |$)")
    for entry in failure.reprtraceback.reprentries:
        entry.lines[:] = [shortened.sub(first_line, line) if line.startswith("E") else line for line in entry.lines]
