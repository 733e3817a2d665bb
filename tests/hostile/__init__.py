"""Hostile calls: every public function, with every argument replaced by what users bring by mistake or bad luck.

arrays.py    what may come in place of an array: layouts, types, shapes, values that are not finite
values.py    what may come in place of numbers, words, generators, caches, parameters and lists of images
calls/       a right call of each public function
judge.py     makes one call and tells right, refused, deep or wrong
../count_hostile_calls.py   makes all calls and prints the counts
"""
