"""Answers as students write them, each with the verdict that it should get and a piece of what it should be told.

A right answer is followed by "", a wrong one by words of the verdict. Most are one-liners here; a student needs more
lines for the same. Every exercise has a right answer in another style than the stored one, typical mistakes, and an
answer that tries to get by without the work.
"""

import importlib
import pkgutil

from student_answers.common import RIGHT

MODULES = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "common")
ANSWERS = [row for name in MODULES for row in importlib.import_module(f"{__name__}.{name}").ANSWERS]
