"""Habits that keep minunet at work on Windows and macOS: every file is parsed for calls that only some systems have."""

import ast
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "minunet").rglob("*.py"))
POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}
POSIX_NAMES = {
    "os": {"fork", "geteuid", "getuid", "killpg", "nice", "register_at_fork", "sched_getaffinity", "setsid", "sysconf"},
    "signal": {"SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "alarm", "setitimer"},
    "mmap": {"MADV_DONTNEED"},
}
GUARDS = ("hasattr", "platform", "os.name")
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))}


def nodes_with_ancestors(tree, above=()):
    """Yield (node, the nodes around it) for each node of a tree."""
    yield tree, above
    for child in ast.iter_child_nodes(tree):
        yield from nodes_with_ancestors(child, (*above, tree))


def is_guarded(above):
    """Tell whether a call is in a `try`, after `if hasattr(...)`, or in a function that asks for the system first."""
    for node in above:
        if isinstance(node, ast.Try):
            return True
        if isinstance(node, (ast.If, ast.IfExp, ast.BoolOp, ast.FunctionDef)):
            asked = node.test if isinstance(node, (ast.If, ast.IfExp)) else node
            if any(guard in ast.unparse(asked) for guard in GUARDS):
                return True
    return False


def only_on_posix(node):
    """Return the name of what a node takes from a module, if only POSIX systems have it."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        return next((name for name in names if name in POSIX_MODULES), None)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.attr in POSIX_NAMES.get(node.value.id, ()):
            return f"{node.value.id}.{node.attr}"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_only_some_systems_have_is_asked_for_first(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = [(only_on_posix(node), above) for node, above in nodes_with_ancestors(tree)]
    assert [name for name, above in used if name and not is_guarded(above)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_is_read_and_written_in_utf_8(path):
    """Else Windows takes the code page of the country, and a name with an umlaut comes out wrong."""
    without = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_open = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
        is_text = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text")
        if not (is_open or is_text):
            continue
        words = [x.value for x in [*node.args, *node.keywords] if isinstance(x, ast.Constant)]
        is_binary = is_open and any("b" in word for word in words)
        has_encoding = any(keyword.arg == "encoding" for keyword in node.keywords) or {"utf-8", "ascii"} & set(words)
        if not is_binary and not has_encoding:
            without.append(f"{node.lineno}: {ast.unparse(node)}")
    assert without == []


def test_processes_are_spawned_as_on_windows():
    """`fork` exists on POSIX only, and copies locks that threads hold."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "multiprocessing":
                assert node.attr in ("get_context", "active_children"), f"{path}: multiprocessing.{node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "multiprocessing.get_context":
                assert ast.unparse(node.args[0]) == "'spawn'", path
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ProcessPoolExecutor"):
                assert "context" in ast.unparse(node), path


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git, so there is no list of its files")
    return sorted(set(listed.stdout.splitlines()))  # in a merge, a file may be listed three times


def test_no_two_files_differ_in_case_only():
    names = tracked()
    assert len({name.lower() for name in names}) == len(names)


def test_every_file_name_is_one_on_windows_too():
    for name in tracked():
        assert len(name) < 150
        for part in PurePosixPath(name).parts:
            assert part.partition(".")[0].lower() not in DEVICE_NAMES, name
            assert not set(part) & set('<>:"\\|?*') and part[-1] not in ". ", name
