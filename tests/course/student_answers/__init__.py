"""Answers as students write them, each with the verdict that it should get and a piece of what it should be told.

A right answer is followed by "", a wrong one by words of the verdict. Most are one-liners here; a student needs more
lines for the same. Every exercise has a right answer in another style than the stored one, typical mistakes, and an
answer that tries to get by without the work.
"""

import importlib
import pkgutil

from student_answers.common import RIGHT

MODULES = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "common")
TABLES = [importlib.import_module(f"{__name__}.{name}") for name in MODULES]
ANSWERS = [row for table in TABLES for row in table.ANSWERS]
LONG = [row for table in TABLES for row in getattr(table, "LONG", [])]  # those that take longer than the others
