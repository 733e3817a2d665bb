"""Every exercise of the course: its solution is right, its stub is not written yet, its mistakes get their hints."""

import pickle

import numpy as np
import pytest

from minunet import course
from minunet.backend import flatten
from minunet.course import checking
from minunet.course.exercise import Exercise
from minunet.course.exercises import all_exercises, by_notebook
from minunet.errors import InputError

EXERCISES = all_exercises()
MISTAKES = [(name, words) for name, exercise in EXERCISES.items() for words in exercise.mistakes]


@pytest.fixture
def conv2d_dx():
    """Return a right solution, and what it is made of."""
    return EXERCISES["conv2d_dx"].solution


def lines_of(name, function):
    """Return the lines of a check that must fail."""
    verdict = course.check(name, function)
    assert not verdict.ok
    assert repr(verdict).startswith(f"NOT YET: {name}\n")
    return verdict.lines


@pytest.mark.parametrize("name", EXERCISES)
def test_a_solution_passes(name):
    verdict = course.check(name, EXERCISES[name].solution)
    assert verdict.ok, str(verdict)
    assert verdict.lines[0].startswith("shapes: ")


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_not_written_yet_and_nothing_else(name):
    (line,) = lines_of(name, lambda *args: None)
    assert line.startswith("not written yet: it returns nothing, and should return ")


@pytest.mark.parametrize(("name", "words"), MISTAKES)
def test_a_mistake_gets_its_own_hint(name, words):
    assert lines_of(name, EXERCISES[name].mistakes[words])[-1] == f"hint: {words}"


@pytest.mark.parametrize("name", EXERCISES)
def test_arguments_can_be_sent_to_another_process(name):
    """So the grader can ask a student's kernel."""
    exercise = EXERCISES[name]
    asked = []

    def from_afar(*args):
        asked.append(args)
        sent = pickle.loads(pickle.dumps(args))
        result = exercise.solution(*sent)
        for before, after in zip(flatten(args).values(), flatten(sent).values(), strict=True):
            if isinstance(before, np.ndarray):
                before[...] = after
        return result

    assert course.check(name, from_afar).ok
    assert len(asked) >= 1 + len(exercise.more)


def test_names_are_unique_over_all_notebooks():
    names = [exercise.name for own in by_notebook().values() for exercise in own]
    assert len(names) == len(set(names)) == len(EXERCISES)


def test_an_unknown_exercise_names_the_known_ones():
    with pytest.raises(InputError, match=r"an exercise must be one of .*conv2d_dx.*, got 'conv3d'"):
        course.check("conv3d", print)


def test_a_wrong_shape_is_told_before_numbers(conv2d_dx):
    lines = lines_of("conv2d_dx", lambda dy, cache: conv2d_dx(dy, cache)[0])
    assert lines[0] == "dx has shape (1, 4, 4), expected (1, 1, 4, 4)"


def test_an_error_is_told_with_its_line():
    def divides(dy, cache):
        x = 1
        return x // 0  # here

    (line,) = lines_of("conv2d_dx", divides)
    assert line.startswith("it stops with ZeroDivisionError: ")
    assert line.endswith(": return x // 0  # here")


def test_a_wrong_number_of_outputs(conv2d_dx):
    (line,) = lines_of("conv2d_backward", lambda dy, cache: (1, 2))
    assert line == "it should return 3 things, dx, dweight, dbias, and returns 2 things"
    (line,) = lines_of("conv2d_backward", conv2d_dx)
    assert line.endswith("and returns one ndarray")


@pytest.mark.parametrize(
    ("value", "words"), [("text", "a str"), (..., "..."), ([[1], [1, 2]], "a list"), (1j, "a complex")]
)
def test_what_is_no_array_of_numbers(value, words):
    (line,) = lines_of("conv2d_dx", lambda dy, cache: value)
    assert line == f"dx should be an array or a number, and is {words}"


def test_differing_numbers_are_starred_beside_the_expected_ones(conv2d_dx):
    def off_in_one(dy, cache):
        dx = conv2d_dx(dy, cache)
        dx[0, 0, 1, 2] += 1
        return dx

    expected = conv2d_dx(*EXERCISES["conv2d_dx"].args)[0, 0]
    lines = lines_of("conv2d_dx", off_in_one)
    assert lines[1] == "a tiny case: dx differs"
    assert lines[2].split() == ["yours", "at", "[0,", "0]", "expected", "at", "[0,", "0]"]
    rows = [line.split() for line in lines[3:7]]
    assert [[number for number in row if "*" in number] for row in rows] == [[], [f"{expected[1, 2] + 1:g}*"], [], []]
    assert [[float(number) for number in row[4:]] for row in rows] == expected.tolist()
    assert lines[-1] == f"hint: {EXERCISES['conv2d_dx'].hint}"


def test_sizes_written_down_as_numbers_are_found_out():
    def for_one_image(x, weight, bias):
        return EXERCISES["conv2d_forward"].solution(x, weight, bias)[:1]

    lines = lines_of("conv2d_forward", for_one_image)
    assert lines[1] == "a tiny case: equal"
    case = "the tiny case is right, but with (2, 3, 6, 5), (4, 3, 3, 2), (4,)"
    assert lines[2] == f"{case}, y has shape (1, 4, 4, 4), expected (2, 4, 4, 4)"


def test_a_number_written_down_is_found_out():
    tiny = EXERCISES["conv2d_forward"].solution(*EXERCISES["conv2d_forward"].args)

    def by_heart(x, weight, bias):
        y = np.zeros((len(x), len(weight), x.shape[2] - weight.shape[2] + 1, x.shape[3] - weight.shape[3] + 1))
        y[:1, :1, :2, :2] = tiny
        return y

    lines = lines_of("conv2d_forward", by_heart)
    assert lines[2].endswith("(4,), y differs")
    assert lines[-1] == "hint: work out y[0, 0, 0, 0] on paper, tap by tap, and compare"


def test_a_gradient_check_is_the_last_word():
    def right_but_for_one_shape(dy, cache):
        dx, dweight, dbias = EXERCISES["conv2d_backward"].solution(dy, cache)
        return dx, dweight, 2 * dbias if cache.x.shape == (2, 2, 6, 5) else dbias

    lines = lines_of("conv2d_backward", right_but_for_one_shape)
    assert "gradient check:" in lines
    assert "It is 2 times the numeric gradient" in " ".join(lines)


def test_a_function_that_spoils_its_arguments_spoils_nothing(conv2d_dx):
    def spoils(dy, cache):
        dx = conv2d_dx(dy, cache)
        dy[:], cache.x[:], cache.weight[:] = 99, 99, 99
        return dx

    exercise = EXERCISES["conv2d_dx"]
    before = pickle.dumps((exercise.args, exercise.more))
    verdict = course.check("conv2d_dx", spoils)
    assert verdict.lines[-2] == "the result is right, but it changes its argument dy"
    assert pickle.dumps((exercise.args, exercise.more)) == before


def test_the_picture_in_a_notebook_is_green_or_red_and_its_text_no_html(monkeypatch):
    exercise = Exercise("<script>", lambda x: x.copy(), ("<b>",), (np.eye(2),), hint="a < b & c")
    monkeypatch.setattr(checking, "find", lambda name: exercise)
    green = course.check("<script>", lambda x: x.copy())._repr_html_()
    red = course.check("<script>", lambda x: x + 1)._repr_html_()
    assert "#009E73" in green and "&#10003;" in green
    assert "#D55E00" in red and "&#10007;" in red
    for html in (green, red):
        assert "&lt;script&gt;" in html and "&lt;b&gt;" in html
        assert "<script>" not in html and "<b>" not in html
    assert "a &lt; b &amp; c" in red


def test_source_is_shown_without_its_docstring():
    shown = course.show_source(course.draw, course.draw_image).data
    assert shown.startswith("def draw(") and "\n\n\ndef draw_image(" in shown
    assert '"""' not in shown
    assert '"""Draw (H, W)' in course.show_source(course.draw, docstring=True).data
    assert '<pre style="font-family: ' in course.show_source(course.draw)._repr_html_()  # nbconvert has no font for it


def test_pictures_centre_gradients_and_write_small_numbers_in():
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 3)
    gradient = course.draw(axes[0], np.array([[-1.0, 2.0, 0.5]]), "dx", gradient=True)
    assert gradient.get_clim() == (-2, 2)
    assert [text.get_text() for text in axes[0].texts] == ["-1", "2", "0.5"]
    assert (axes[0].get_xlabel(), axes[0].get_ylabel(), axes[0].get_title()) == ("W = 3", "H = 1", "dx")
    course.draw(axes[1], np.ones((4, 11)))
    assert not axes[1].texts
    image = course.draw_image(axes[2], np.arange(10000.0).reshape(100, 100))
    assert image.get_clim() == pytest.approx((99.99, 9899.01))


def test_a_verdict_is_true_only_if_the_function_is_right(conv2d_dx):
    assert course.check("conv2d_dx", conv2d_dx)
    assert not course.check("conv2d_dx", lambda dy, cache: None)


def test_a_verdict_gives_points_for_the_steps_that_passed():
    backward = EXERCISES["conv2d_backward"].solution

    def right_while_x_is_small(dy, cache):
        return [gradient * (cache.x.size < 20) for gradient in backward(dy, cache)]

    def right_but_for_the_gradient_check(dy, cache):
        return [gradient * (cache.x.shape != (2, 2, 6, 5)) for gradient in backward(dy, cache)]

    answers = [lambda dy, cache: None, lambda dy, cache: [0 * gradient for gradient in backward(dy, cache)]]
    answers += [right_while_x_is_small, right_but_for_the_gradient_check, backward]
    assert [course.check("conv2d_backward", answer).points for answer in answers] == [0, 0.1, 0.5, 0.8, 1]


def test_a_verdict_can_be_required(conv2d_dx):
    course.check("conv2d_dx", conv2d_dx).require()
    with pytest.raises(AssertionError, match="NOT YET: conv2d_dx\n  not written yet"):
        course.check("conv2d_dx", lambda dy, cache: None).require()


def test_a_verdict_is_readable_text_wherever_it_is_printed(conv2d_dx):
    red = course.check("conv2d_dx", lambda dy, cache: None)
    text = "NOT YET: conv2d_dx\n  not written yet: it returns nothing, and should return dx"
    assert repr(red) == str(red) == f"{red}" == text
    with pytest.raises(AssertionError, match="NOT YET: conv2d_dx"):
        assert red
    assert str(course.check("conv2d_dx", conv2d_dx)).startswith("RIGHT: conv2d_dx\n  shapes: dx (1, 1, 4, 4)\n")


def test_a_notebook_shows_a_verdict_as_html_and_as_the_same_text(conv2d_dx):
    formatters = pytest.importorskip("IPython.core.formatters")
    verdict = course.check("conv2d_dx", conv2d_dx)
    shown, _ = formatters.DisplayFormatter().format(verdict)
    assert shown["text/plain"] == str(verdict)
    assert shown["text/html"] == verdict._repr_html_()


def test_exit_in_a_students_function_ends_the_check_and_not_the_notebook():
    def leaves(*args):
        raise SystemExit(3)

    verdict = course.check("conv2d_dx", leaves)
    assert not verdict and "it stops with SystemExit: 3" in verdict.lines[0]
