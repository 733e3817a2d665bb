"""What a function says of arguments that it cannot take."""

import re

import pytest

from minunet import InputError


def assert_refused(call, message: str) -> None:
    """Check that `call()` raises InputError, and that this text stands in its message."""
    with pytest.raises(InputError, match=re.escape(message)):
        call()
