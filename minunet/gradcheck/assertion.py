"""An assertion for tests: silent if the gradients are right, and the whole report if they are not."""

from minunet.gradcheck.check import gradcheck


def assert_gradients(forward, backward, args: tuple, **options) -> None:
    """Run `gradcheck` and raise AssertionError, with the report as its message, unless it is ok.

    Parameters
    ----------
    forward, backward, args, **options
        As in `gradcheck`.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test, not this one
    report = gradcheck(forward, backward, args, **options)
    if not report.ok:
        raise AssertionError(str(report))
