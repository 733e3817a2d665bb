"""What a bug is, and how one is put into its cage."""

from collections.abc import Callable
from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    forward: Callable
    backward: Callable
    args: tuple
    kind: str  # the finding that gradcheck must come to
    culprit: str | None  # the argument that it must name, or the beginning of its dotted name; None: any


class Cage:
    """A layer's correct pair, arguments to check it at, and its bugs."""

    def __init__(self, name: str, forward: Callable, backward: Callable, args: tuple):
        self.name, self.forward, self.backward, self.args = name, forward, backward, args
        self.bugs: list[Bug] = []

    def bug(self, kind: str, culprit: str | None = None, *, args: tuple | None = None):
        """Decorate a wrong backward pass."""

        def catch(backward):
            self._add(self.forward, backward, kind, culprit, args)
            return backward

        return catch

    def forward_bug(self, kind: str, culprit: str | None = None, *, args: tuple | None = None):
        """Decorate a wrong forward pass."""

        def catch(forward):
            self._add(forward, self.backward, kind, culprit, args)
            return forward

        return catch

    def _add(self, forward, backward, kind, culprit, args):
        wrong = backward if backward is not self.backward else forward
        name = f"{self.name}: {wrong.__name__.replace('_', ' ')}"
        self.bugs.append(Bug(name, forward, backward, self.args if args is None else args, kind, culprit))
