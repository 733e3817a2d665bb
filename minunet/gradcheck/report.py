"""What a gradient check found, and how it prints."""

import textwrap
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WIDTH = 100  # characters: a notebook in a browser has room for so many
DEEPER = " " * 6
NOTHING = "nothing: zero, at a kink, or too small to compare"


@dataclass(frozen=True)
class Finding:
    """One verdict; the fields that make no sense for its kind are None."""

    kind: str  # wrong, shape, nonfinite, mutated, nondeterministic, precision, vacuous or kink
    argument: str | None  # its name in the forward's signature, such as weight or params.head.bias
    hint: str
    index: tuple[int, ...] | None = None  # the worst element
    analytic: float | None = None  # what the backward pass says there
    numeric: float | None = None  # what finite differences say there
    count: int | None = None  # how many elements are concerned ...
    total: int | None = None  # ... of how many

    def __str__(self):
        where = f" in {self.argument}" if self.argument else ""
        if self.index is not None:
            where += f"[{', '.join(map(str, self.index))}]"
        values = ""
        if self.analytic is not None and self.numeric is not None:
            values = ": analytic {}, numeric {}".format(*_apart(self.analytic, self.numeric))
        share = "" if self.count is None else f" ({self.count} of {self.total})"
        if share and self.kind == "kink":
            share = f"{share[:-1]} {'outputs' if self.index is None else 'elements'})"
        return f"{self.kind}{where}{values}{share}. {self.hint}"


def _apart(a: float, b: float) -> tuple[str, str]:
    """Write two numbers with six digits, or with as many as tell them apart."""
    a, b = a + 0.0, b + 0.0  # no -0
    digits = next((n for n in (6, 9, 12) if a == b or f"{a:.{n}g}" != f"{b:.{n}g}"), 17)
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


class Row(NamedTuple):
    """One argument in the table."""

    argument: str
    shape: tuple[int, ...]
    compared: int  # how many elements, or directions
    error: float  # the worst relative error


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """The outcome of a check. It is true where `ok` is, and prints as a table."""

    findings: list[Finding]
    rows: list[Row]
    mode: str  # "elements", "directions", or what else was compared
    forward_passes: int
    dy: Any = None  # the upstream gradient, in the structure of the forward's y
    dy_from: str = ""  # such as "seed 0"
    not_checked: dict[str, str] = field(default_factory=dict)  # arguments that were left out, and why
    resolution: str = ""  # by directions: the smallest error of a single element that would have been seen

    @property
    def ok(self) -> bool:
        """True if nothing but kinks was found: the gradient is right wherever there is one."""
        return all(finding.kind == "kink" for finding in self.findings)

    def __bool__(self):
        return self.ok

    def __str__(self):
        verdict = "ok" if self.ok else "FAILED: " + ", ".join(sorted({f.kind for f in self.findings} - {"kink"}))
        lines = [f"gradcheck {verdict}   ({self.forward_passes} forward passes, by {self.mode})"]
        lines += self._table()
        for finding in self.findings:
            lines += _lines_of(finding)
        if self.not_checked:
            left_out = ", ".join(f"{name} ({why})" for name, why in self.not_checked.items())
            lines += _folded(f"not checked: {left_out}")
        if self.resolution:
            lines += _folded(self.resolution)
        if self.dy_from and not self.ok:
            lines.append(f"  dy from {self.dy_from}")  # to see the same numbers again
        return "\n".join(lines)

    __repr__ = __str__  # so that a notebook, and a failed assert, show the table

    def _table(self) -> list[str]:
        if not self.rows:
            return []
        width = max(len("argument"), *(len(row.argument) for row in self.rows))
        lines = [f"  {'argument':<{width}}  {'shape':<20} {'compared':>9}  worst relative error"]
        for row in self.rows:
            error = f"{row.error:.1e}" if row.compared else NOTHING
            lines.append(f"  {row.argument:<{width}}  {row.shape!s:<20} {row.compared:>9}  {error}")
        return lines


def _lines_of(finding: Finding) -> list[str]:
    """Return a finding as one line or, if that is too long, with its hint below it."""
    line = f"  {finding}"
    if len(line) <= WIDTH:
        return [line]
    return _folded(line.removesuffix(finding.hint).strip()) + _folded(finding.hint, first_indent=DEEPER)


def _folded(text: str, first_indent: str = "  ") -> list[str]:
    """Return a text as lines of at most WIDTH characters."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first_indent,
        subsequent_indent=DEEPER,
        break_long_words=False,
        break_on_hyphens=False,
    )
