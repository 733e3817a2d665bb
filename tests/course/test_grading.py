"""Grading: right answers get marks, whatever else a notebook does, and no notebook stops or harms another."""

import csv
import importlib.util
import os

import pytest
from hostile_submissions import HOSTILE, PRIVATE_FOLDER, QUICK_LIMIT, RIGHT, STUBS, notebook

from minunet.cli.main import main
from minunet.course.exercises import by_notebook
from minunet.course.grading import grade as grading
from minunet.course.grading.grade_all import ENDED, Journal, grade_all
from minunet.course.grading.grade_folder import Settings, grade_folder
from minunet.course.grading.sandbox import Sandbox, choose
from minunet.course.grading.student_process import STRIKES
from minunet.course.grading.submission import read_submissions

NAMES = [exercise.name for exercise in by_notebook()["03_relu_and_max_pool"]]
pytestmark = [
    pytest.mark.slow,  # each submission starts a process, and needs seconds
    pytest.mark.skipif(
        importlib.util.find_spec("ipykernel") is None,
        reason="grading needs Jupyter: python -m pip install -e '.[notebooks]'",
    ),
]


def write_notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(notebook(*cells))


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grades(folder, seconds=20, *more):
    """Grade a folder by the command; return {file: (points of the three exercises, remark)}.

    1 stands for all points of an exercise, p for a part, 0 for none.
    """
    out = folder.parent / "grades"
    options = ["--out", str(out), "--seconds", str(seconds), "--jobs", "2", *more]
    assert main(["grade", str(folder), *options]) == 0
    return {row["file"]: (marks(row), row["remark"]) for row in table(out / "submissions.csv")}


def marks(row):
    points = [row.get(name) for name in NAMES if row.get(name)]
    return "".join("1" if float(p) == 1 else "p" if float(p) else "0" for p in points)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "submissions"


@pytest.fixture(scope="module", params=["here", "container"])
def image(request):
    """Return None, for the sandbox that is here, or the name of an image, for a container of it."""
    if request.param == "here":
        return None
    return os.environ.get("MINUNET_IMAGE") or pytest.skip("no container's image: name one in MINUNET_IMAGE")


@pytest.fixture(scope="module")
def hostile(image, tmp_path_factory):
    """Grade all hostile submissions in one folder, among those of honest students; return (folder, rows)."""
    base = tmp_path_factory.mktemp("grading")
    folder = base / "submissions"
    write_notebook(folder / "aaa_first.ipynb", *RIGHT)
    write_notebook(folder / "zzz_last.ipynb", *RIGHT)
    write_notebook(base / "neighbour.ipynb", *RIGHT)
    for name, (content, _, _) in HOSTILE.items():
        data = content if isinstance(content, bytes) else notebook(*content)
        (folder / f"{name}.ipynb").write_bytes(data.replace(PRIVATE_FOLDER, str(base).encode()))
    return base, grades(folder, seconds_in(image), *(["--container", image] if image else []))


def seconds_in(image):
    """Return the limit of a cell: a container's pipes are slower."""
    return 4 * QUICK_LIMIT if image else QUICK_LIMIT


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gets_the_marks_of_its_functions_and_a_remark(hostile, image, name):
    _, expected, remark = HOSTILE[name]
    got, remarks = hostile[1][f"{name}.ipynb"]
    if expected is None:  # only a sandbox hides the neighbours, and the remark is there without one, too
        expected = "111" if choose(image, hostile[0]).kind == "none" else "000"
    assert got == expected
    remark = remark.replace(f"than {QUICK_LIMIT} s", f"than {seconds_in(image)} s")
    assert remark in remarks if remark else remarks == ""


def test_no_hostile_submission_harms_an_honest_one_or_leaves_anything(hostile):
    base, rows = hostile
    assert rows["aaa_first.ipynb"] == rows["zzz_last.ipynb"] == ("111", "")
    assert len(rows) == len(HOSTILE) + 2
    assert not (base / "unpickled").exists()
    psutil = pytest.importorskip("psutil", reason="comes with Jupyter; finds processes that were left behind")
    assert [p for p in psutil.process_iter(["cmdline"]) if f"{base}/left" in " ".join(p.info["cmdline"] or [])] == []


def test_no_function_and_an_error_without_words_are_told_in_words(hostile):
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (hostile[0] / "grades").rglob("feedback/*.html")}
    found = "expected your function relu_backward, got 3: write its name without brackets"
    assert any(name.startswith("no_function") and found in page for name, page in pages.items())
    found = "it stops with SystemExit: in line 2: raise SystemExit"
    assert any(name.startswith("function_exits") and found in page for name, page in pages.items())


def test_no_page_of_feedback_runs_what_a_student_wrote(hostile):
    base, _ = hostile
    pages = {path.name: path.read_text(encoding="utf-8") for path in (base / "grades").rglob("*.html")}
    assert len([name for name in pages if name.startswith(("aaa", "zzz"))]) == 2
    for page in pages.values():
        assert "<script" not in page and "<img" not in page and "default-src 'none'" in page
    injected = next(page for name, page in pages.items() if name.startswith("injected_html"))
    assert "&lt;script&gt;" in injected
    neighbour = next(page for name, page in pages.items() if name.startswith("executes_a_neighbour"))
    assert "please look" not in neighbour  # that remark is the teacher's


def test_right_partly_right_and_unsolved_notebooks(folder, capsys):
    write_notebook(folder / "anna" / "03_relu_and_max_pool.ipynb", *RIGHT)
    write_notebook(folder / "ben.ipynb", *STUBS)
    small = "def my_max_pool_backward(dy, cache):\n    return np.repeat(np.repeat(dy, 2, 2), 2, 3)"
    write_notebook(folder / "cleo.ipynb", "1 / 0", *RIGHT[:3], small, "def broken(:")
    calls = "import minunet\ndef my_relu_backward(dy, cache):\n    return minunet.relu_backward(dy, cache)"
    write_notebook(folder / "dora.ipynb", RIGHT[0], calls, *RIGHT[2:])
    write_notebook(folder / ".ipynb_checkpoints" / "ben-checkpoint.ipynb", *RIGHT)
    assert grades(folder) == {
        "anna/03_relu_and_max_pool.ipynb": ("111", ""),
        "ben.ipynb": ("000", ""),
        "dora.ipynb": ("111", "my_relu_backward: it calls the library's relu_backward"),
        "cleo.ipynb": ("11p", "cell 1 stops with ZeroDivisionError; cell 6 stops with SyntaxError"),
    }
    assert "4 notebooks of 4 students graded, 2 with a remark" in capsys.readouterr().out
    rows = {row["student"]: row for row in table(folder.parent / "grades" / "grades.csv")}
    assert {name: float(row["points"]) for name, row in rows.items()}["anna"] == 3
    assert all(row["of"] == "3" and row["anonymous"].startswith("s-") for row in rows.values())


def test_a_notebook_with_many_endless_cells_is_given_up(folder):
    write_notebook(folder / "a.ipynb", *RIGHT, *["while True:\n    pass"] * (STRIKES + 1))
    ((points, remark),) = grades(folder, seconds=0.5).values()
    assert points == "000"
    assert remark.startswith("cell 5 takes longer than 0.5 s; cell 6")
    assert f"given up after {STRIKES} that take too long or end the process" in remark


def test_a_submission_that_ends_its_grader_stops_no_other(folder, tmp_path):
    kills = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"  # a sandbox hides the parent
    write_notebook(folder / "a.ipynb", *RIGHT)
    write_notebook(folder / "b.ipynb", *RIGHT, kills)
    write_notebook(folder / "c.ipynb", *RIGHT)
    journal = Journal(tmp_path / "journal.jsonl")
    grade_all(read_submissions(folder), journal, 20, Sandbox("none"), 2)
    rows = {row["file"]: (grading.total(row), row["remarks"]) for row in journal.rows.values()}
    assert rows == {"a.ipynb": (3, []), "b.ipynb": (0, [ENDED]), "c.ipynb": (3, [])}


def test_a_grading_that_was_stopped_goes_on_where_it_was(folder, monkeypatch):
    for name in ("a", "b"):
        write_notebook(folder / f"{name}.ipynb", *RIGHT)
    first = grades(folder)
    journal = folder.parent / "grades" / "journal.jsonl"
    kept = [line for line in journal.read_text().splitlines() if '"a.ipynb"' in line]
    forged = kept[0].replace('"points": 1.0', '"points": 0.5')  # only a row that is not made again keeps this
    journal.write_text(forged + "\n" + kept[0][:40])  # and one that was being written
    assert grades(folder) == {"a.ipynb": ("ppp", first["a.ipynb"][1]), "b.ipynb": first["b.ipynb"]}
    write_notebook(folder / "a.ipynb", *RIGHT, "'handed in again'")
    assert grades(folder)["a.ipynb"][0] == "111"


def test_an_exercise_whose_check_stops_is_a_remark_and_stops_no_other(monkeypatch):
    class Process:
        def function(self, name):
            return None

    def check(name, function, seconds):
        raise IndexError("too many indices")

    monkeypatch.setattr(grading, "check", check)
    mark, remarks = grading._mark("relu_backward", Process())
    assert mark["points"] == 0 and not mark["ok"]
    assert remarks == [
        "my_relu_backward: its check stops with IndexError: too many indices; please look at this answer yourself"
    ]


def test_the_best_or_the_last_attempt_counts_and_a_table_names_students(folder, tmp_path):
    write_notebook(folder / "smith_4711_1_03_relu_and_max_pool.ipynb", *RIGHT)
    write_notebook(folder / "smith_4711_2_03_relu_and_max_pool-1.ipynb", *STUBS)
    names = tmp_path / "names.csv"
    names.write_text("found,student\n4711,Anna Smith\n4712,Ben Absent\n")
    rows = {}
    for attempt in ("best", "last"):
        out = tmp_path / attempt
        grade_folder(folder, out, Settings(20, 2, attempt, names))
        rows[attempt] = {row["student"]: float(row["points"]) for row in table(out / "grades.csv")}
    assert rows == {"best": {"Anna Smith": 3, "Ben Absent": 0}, "last": {"Anna Smith": 0, "Ben Absent": 0}}


def refused(capsys, *arguments):
    assert main(["grade", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_bad_input_is_refused_in_one_line_and_nothing_is_written(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "grades"
    assert f"found no folder {folder}" in refused(capsys, folder, "--out", out)
    folder.mkdir()
    assert "expected notebooks (*.ipynb)" in refused(capsys, folder, "--out", out)
    write_notebook(folder / "a.ipynb", *STUBS)
    assert "--seconds must be above 0, got 0" in refused(capsys, folder, "--out", out, "--seconds", 0)
    assert "--jobs must be at least 1, got 0" in refused(capsys, folder, "--out", out, "--jobs", 0)
    assert "--out must be in a folder that exists" in refused(capsys, folder, "--out", tmp_path / "no" / "x")
    assert "--out is a folder now" in refused(capsys, folder, "--out", tmp_path / "week1.csv")
    assert "cannot read" in refused(capsys, folder, "--out", out, "--map", tmp_path / "names.csv")
    monkeypatch.setenv("PATH", "")
    assert "needs podman or docker" in refused(capsys, folder, "--out", out, "--container", "course")
    assert [path.name for path in tmp_path.iterdir()] == ["submissions"]
    out.mkdir()
    (out / "notes.txt").write_text("my notes")
    assert "--out must be a new folder, or one of an earlier grading" in refused(capsys, folder, "--out", out)
