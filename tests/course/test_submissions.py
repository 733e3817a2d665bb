"""What was handed in is read, told apart and compared before any of it runs; the tables harm no spreadsheet."""

import json
import warnings
import zipfile

import pytest
from hostile_submissions import RIGHT, notebook

from minunet.course.grading import grade_folder
from minunet.course.grading.feedback import feedback_page
from minunet.course.grading.grade import Graded
from minunet.course.grading.grade_all import Journal
from minunet.course.grading.questions import Question, question_page, read_questions, write_questions
from minunet.course.grading.sandbox import Sandbox
from minunet.course.grading.similarity import fingerprint, remarks_on_similar
from minunet.course.grading.students import attempt_of, find_student, read_map
from minunet.course.grading.submission import read_notebook, read_submissions
from minunet.course.grading.tables import aliases_of, write_students
from minunet.errors import InputError

PAGE = "03_relu_and_max_pool"


@pytest.mark.parametrize(
    "file, student",
    [
        (f"Anna Smith_81_assignsubmission_file_/{PAGE}.ipynb", "Anna Smith"),
        (f"Anna Smith_82_assignsubmission_file_{PAGE}.ipynb", "Anna Smith"),
        (f"smithanna_4711_8899_{PAGE}-1.ipynb", "smithanna_4711"),
        (f"smithanna_LATE_4711_8899_{PAGE}.ipynb", "smithanna_4711"),
        (f"anna/{PAGE}.ipynb", "anna"),
        (f"anna/{PAGE}/{PAGE}.ipynb", "anna"),
        (f"anna_{PAGE}.ipynb", "anna"),
        (f"{PAGE}-anna (1).ipynb", "anna"),
        (f"anna.zip/{PAGE}.ipynb", "anna"),
    ],
)
def test_a_file_tells_its_student(file, student):
    assert find_student(file) == student


@pytest.mark.parametrize(
    "file, number", [(f"{PAGE}.ipynb", 0), (f"{PAGE}-2.ipynb", 2), (f"{PAGE} (3).ipynb", 3), ("anna (4).ipynb", 4)]
)
def test_a_file_tells_which_attempt_it_is(file, number):
    assert attempt_of(file) == number


def test_a_table_of_names_is_read_or_refused_with_an_example(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("found,student\n4711,Anna Smith\n\n", encoding="utf-8-sig")
    assert read_map(path) == {"4711": "Anna Smith"}
    path.write_text("found,student\n4711\n")
    with pytest.raises(InputError, match="such as 4711,Anna Smith"):
        read_map(path)


def test_notebooks_in_zip_files_are_read_and_links_are_not(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr(f"work/{PAGE}.ipynb", notebook(*RIGHT))
        archive.writestr(f"__MACOSX/._{PAGE}.ipynb", b"")
    (tmp_path / "ben.zip").write_bytes(b"PK")
    (tmp_path / "cleo.ipynb").symlink_to(tmp_path / "secret")
    read = {one.file: one for one in read_submissions(tmp_path)}
    assert read[f"anna.zip/work/{PAGE}.ipynb"].notebook == PAGE
    assert read["ben.zip"].remark == "the zip file cannot be read"
    assert read["cleo.ipynb"].remark == "the file is a link to another"
    assert len(read) == 3


def test_a_cell_that_only_checks_is_not_run_and_the_same_content_has_the_same_key():
    checks = [
        'course.check("relu_backward", my_relu_backward)',
        '# now\nv = course.check("relu_backward", f).require()',
    ]
    one = read_notebook(notebook(*RIGHT, *checks), "a.ipynb")
    assert list(one.cells) == [1, 2, 3, 4]
    assert one.key == read_notebook(notebook(*RIGHT, *checks), "a.ipynb").key
    assert one.key != read_notebook(notebook(*RIGHT), "a.ipynb").key


def test_an_old_notebook_and_lists_of_lines_are_read():
    sheet = {"cells": [{"cell_type": "code", "input": [RIGHT[1] + "\n", "1"]}]}
    one = read_notebook(json.dumps({"nbformat": 3, "worksheets": [sheet]}).encode(), "a.ipynb")
    assert (one.notebook, one.cells) == (PAGE, {1: RIGHT[1] + "\n1"})


def test_copied_functions_are_remarked_on_and_those_of_one_student_are_not():
    renamed = [cell.replace("    ", "  ").replace("return", "# mine\n  return", 1) for cell in RIGHT]
    other = [RIGHT[0], *(f"def my_{name}(a, b=0):\n    return {'a + ' * 40}b" for name in ("relu_backward", "n", "m"))]
    submissions = [
        read_notebook(notebook(*RIGHT), f"anna/{PAGE}.ipynb"),
        read_notebook(notebook(*RIGHT, "1"), f"anna/{PAGE}-1.ipynb"),
        read_notebook(notebook(*renamed), f"ben/{PAGE}.ipynb"),
        read_notebook(notebook(*other), f"cleo/{PAGE}.ipynb"),
    ]
    remarks = remarks_on_similar(submissions)
    assert {one.file for one in submissions if one.key in remarks} == {one.file for one in submissions[:3]}
    assert "anna/" in remarks[submissions[2].key] and "ben/" in remarks[submissions[0].key]


def row(student, points=1.0, line="equal"):
    marks = {"relu_backward": {"points": points, "ok": points == 1, "lines": [line]}}
    remarks = ["cell 1 stops with ValueError", "90% of its functions read as in ben.ipynb: did they work together?"]
    found: Graded = {
        "file": "a", "student": student, "notebook": PAGE, "marks": marks, "remarks": remarks, "key": "k"
    }  # fmt: skip
    return found


def test_what_python_warns_of_in_a_students_code_is_not_said_to_the_teacher():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert fingerprint({1: "def my_relu(x):\n    return x is 1, '\\d'"})
    assert said == []


def test_a_zip_file_that_cannot_be_unpacked_is_no_trouble_for_the_others(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{PAGE}.ipynb", notebook(*RIGHT))
    whole = (tmp_path / "anna.zip").read_bytes()
    start = whole.index(b".ipynb") + len(".ipynb")
    (tmp_path / "anna.zip").write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    (tmp_path / f"tom_{PAGE}.ipynb").write_bytes(notebook(*RIGHT))
    anna, tom = read_submissions(tmp_path)
    assert (anna.remark, tom.remark) == ("the zip file cannot be read", "")


def test_a_line_of_the_journal_that_is_no_graded_submission_is_graded_again(tmp_path):
    mark = {"points": 1.0, "ok": True, "lines": []}
    row = {"file": "a", "student": "b", "notebook": PAGE, "marks": {"relu": mark}, "remarks": [], "key": "k"}
    odd = ["[]", "3", "{", '{"key": 1}', json.dumps({**row, "remarks": [1], "key": "x"}), "[" * 100_000]
    odd.append(json.dumps({**row, "marks": {"relu": {**mark, "points": "1"}}, "key": "y"}))
    path = tmp_path / "journal.jsonl"
    path.write_bytes("\n".join([*odd, json.dumps(row)]).encode() + b"\n\xff\xfe")
    assert Journal(path).rows == {"k": row}


def test_a_name_that_a_spreadsheet_would_run_is_made_harmless_and_aliases_stay(tmp_path):
    student = "=HYPERLINK(1)"
    aliases = aliases_of([student], tmp_path / "key")
    assert aliases == aliases_of([student], tmp_path / "key") != aliases_of([student], tmp_path / "another")
    write_students({student: {PAGE: row(student)}}, aliases, tmp_path / "grades.csv")
    text = (tmp_path / "grades.csv").read_text()
    assert f"\n'{student},s-" in text and student not in aliases[student]


def test_a_page_of_feedback_shows_hints_and_nothing_of_others():
    page = feedback_page("<b>Anna", {PAGE: row("<b>Anna", 0.5, "hint: <i>")}, [PAGE, "06_weighted_softmax"])
    assert "0.5 of 7 points" in page and "hint: &lt;i&gt;" in page and "&lt;b&gt;Anna" in page
    assert "cell 1 stops with ValueError" in page and "ben.ipynb" not in page
    assert "Open: no notebook was handed in." in page


def test_the_answers_to_a_question_are_on_one_page_with_its_rubric_and_without_names(tmp_path):
    (first, *_) = read_questions(PAGE)
    cells = json.loads(notebook(*RIGHT))
    cells["cells"] += [{"cell_type": "markdown", "id": first.id, "source": "*Your answer:* Because <b>."}]
    answered = read_notebook(json.dumps(cells).encode(), f"anna/{PAGE}.ipynb")
    empty = read_notebook(notebook(*RIGHT), f"ben/{PAGE}.ipynb")
    names = {"anna": "s-1", "ben": "s-2"}
    assert write_questions([answered, empty], {answered.key, empty.key}, names, tmp_path / "questions") > 0
    page = (tmp_path / "questions" / f"{PAGE}-1.html").read_text(encoding="utf-8")
    assert "Answers: 1 of 2" in page
    assert "Because &lt;b&gt;." in page and "No answer: s-2" in page and "anna" not in page
    assert first.rubric.split()[0] in page


def test_the_sheet_of_a_question_has_paragraphs_and_bold_words_and_leaves_powers_and_code_alone():
    question = Question("id", "**Question 1.** Is x**2 < 3\nhere?\n\n    y = x**2", "**Rubric, 1 point.** Yes.")
    page = question_page("a page", question, {})
    assert "<p><b>Question 1.</b> Is x**2 &lt; 3\nhere?</p><pre>    y = x**2</pre>" in page
    assert "<p><b>Rubric, 1 point.</b> Yes.</p>" in page


def test_an_error_of_the_grading_is_not_hidden_by_one_of_the_tables(tmp_path, monkeypatch):
    def stops(error):
        def stop(*args):
            raise error

        return stop

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{PAGE}.ipynb").write_bytes(notebook(*RIGHT))
    monkeypatch.setattr(grade_folder, "choose", lambda image, folder: Sandbox("bwrap"))
    monkeypatch.setattr(grade_folder, "grade_all", stops(InputError("no process starts")))
    said: list[str] = []
    settings = grade_folder.Settings()
    with pytest.raises(InputError, match="no process starts"):
        grade_folder.grade_folder(tmp_path / "in", tmp_path / "out", settings, said.append)
    assert said == [] and (tmp_path / "out" / "grades.csv").exists()  # what was graded so far is written
    monkeypatch.setattr(grade_folder, "write_students", stops(OSError("the disk is full")))
    with pytest.raises(InputError, match="no process starts"):
        grade_folder.grade_folder(tmp_path / "in", tmp_path / "out", settings, said.append)
    kept = f"they are kept in {tmp_path / 'out' / 'journal.jsonl'}"
    assert said == [f"warning: the results so far are not written, the disk is full; {kept}"]
