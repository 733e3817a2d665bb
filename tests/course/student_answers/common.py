"""What the tables of answers share."""

from minunet.course.exercises import all_exercises

SOLUTION = {name: exercise.solution for name, exercise in all_exercises().items()}
RIGHT = ""
