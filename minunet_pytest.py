"""The pytest plugin: where a test fails at `assert gradcheck(...)`, print the report whole.

pytest itself shortens what it shows of an asserted value to a line. pytest loads this file at each start, in every
project, so it stands outside the package: it imports nothing, and does nothing unless the test has used gradcheck.
"""

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
