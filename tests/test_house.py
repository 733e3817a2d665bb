"""The plan of the package: which folders and files there are, and who may import whom.

Every file of the package is parsed, not imported, so imports inside functions count too.
"""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minunet"
PAGES = sorted((PACKAGE.parent / "notebooks" / "source").glob("*.py"))
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})

# A room is a folder or a file at the top of the package. It imports from lower floors only.
# "minunet" is the package's own __init__.py, which hands on the public names.
FLOORS = [
    {"backend", "errors", "files", "gpu", "progress"},
    {"layers", "gradcheck", "data"},
    {"fast", "metrics"},
    {"network", "pictures"},
    {"prediction"},
    {"training"},
    {"scale"},
    {"minunet"},
    {"course"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
GROUND_FLOOR = FLOORS[0]  # its files may import each other, as long as there is no circle
NAMED_TUPLE = {"_replace", "_fields", "_asdict", "_make", "_field_defaults"}  # public in spite of the underscore


def name_of(path):
    """Return the dotted name of a file's module, such as minunet.layers.conv."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def room_of(module):
    """Return the folder or file at the top of the package that holds a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "minunet"


def imports_of(path):
    """Yield (module, name) for each import from minunet; the name is None for a plain `import module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "minunet":
                    yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: expected absolute imports, as everywhere else"
            if node.module.split(".")[0] == "minunet":
                for alias in node.names:
                    yield node.module, alias.name


def is_private(name):
    """Tell `_name`, which belongs to its file, from `__version__`."""
    return name.startswith("_") and not name.endswith("__")


def imported_modules(path):
    """Return the modules of minunet that a file imports, `from package import module` included."""
    found = set()
    for module, name in imports_of(path):
        found.add(f"{module}.{name}" if f"{module}.{name}" in MODULES else module)
    return found


def rooms_that_import():
    """Return {room: the other rooms that its files import}."""
    arrows = {}
    for module, path in MODULES.items():
        others = {room_of(imported) for imported in imported_modules(path)}
        arrows.setdefault(room_of(module), set()).update(others - {room_of(module)})
    return arrows


def test_the_package_has_few_rooms_and_each_has_a_floor():
    folders = {path.name for path in FOLDERS if path.parent == PACKAGE}
    files = {path.stem for path in FILES if path.parent == PACKAGE}
    assert len(folders) <= 12
    assert len(files) <= 7
    assert (folders | files | {"minunet"}) - {"__init__"} <= FLOOR_OF.keys()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_has_at_most_250_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(PACKAGE.parent).as_posix())
def test_a_folder_says_what_it_holds(folder):
    file = folder / "__init__.py"
    assert file.is_file()
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_from_lower_floors_only(path):
    room = room_of(name_of(path))
    upwards = []
    for module in sorted(imported_modules(path)):
        other = room_of(module)
        both_on_the_ground = room in GROUND_FLOOR and other in GROUND_FLOOR
        if other != room and not both_on_the_ground and FLOOR_OF[other] >= FLOOR_OF[room]:
            upwards.append(module)
    assert upwards == []


def test_no_rooms_import_each_other_in_a_circle():
    arrows = rooms_that_import()
    while arrows:
        leaves = {room for room, others in arrows.items() if not others & arrows.keys()}
        assert leaves, f"a circle among {sorted(arrows)}"
        arrows = {room: others for room, others in arrows.items() if room not in leaves}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(PACKAGE.parent).as_posix())
def test_no_module_is_hidden_by_a_name_that_its_package_hands_on(folder):
    package = name_of(folder / "__init__.py")
    handed_on = set()
    for node in ast.walk(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            handed_on |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            handed_on.add(node.name)
    hidden = {name for name in handed_on if f"{package}.{name}" in MODULES}
    assert hidden <= ({"gradcheck"} if package == "minunet" else set())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_keeps_its_underscored_names_to_itself(path):
    names = [f"{module}.{name}" for module, name in imports_of(path) if name and is_private(name)]
    assert names == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_needs_no_underscored_name(path):
    """A page shows what a reader may use: neither `from minunet... import _name` nor `module._name`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name for _, name in imports_of(path) if name}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    underscored = {name for name in names if is_private(name)}
    assert underscored - NAMED_TUPLE == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_link_of_a_page_names_the_file_that_it_leads_to(path):
    """[conv.py](../minunet/layers/conv.py), and no name that the file had before it moved."""
    links = re.findall(r"\[([\w/]+\.py)\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert [(text, target) for text, target in links if not f"/{target}".endswith(f"/{text}")] == []
