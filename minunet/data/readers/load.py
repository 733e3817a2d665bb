"""Load the data set that `--data` names: `synthetic`, or KIND:DIR."""

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from minunet.data.readers.ctc import read_ctc
from minunet.data.readers.dsb2018 import read_dsb2018
from minunet.data.readers.folder import read_folder
from minunet.data.readers.isbi import read_isbi
from minunet.data.sample import Dataset
from minunet.data.synthetic.cells import synthetic_dataset
from minunet.errors import InputError

FOLDER_READERS: dict[str, Callable[..., Dataset]] = {
    "isbi": read_isbi,
    "ctc": read_ctc,
    "dsb2018": read_dsb2018,
    "folder": read_folder,
}
OPTIONS = {  # how each is read, by settings of a run; a value that says nothing is None, False or "auto"
    "isbi": ("hold_out", "invert"),
    "ctc": ("hold_out", "field_of_interest"),
    "dsb2018": ("hold_out",),
    "folder": ("hold_out", "invert", "labels", "classes", "void"),
    "synthetic": (),
}
SIGNS = {  # files that only one kind of folder has
    "isbi": ("train-volume.tif",),
    "ctc": ("[0-9]*/t[0-9]*.tif", "t[0-9]*.tif"),
    "dsb2018": ("*/images/*.png", "stage1_train/*/images/*.png"),
    "folder": ("images/*",),
}

PLANES = {  # files of which each page is an image of the data set, or the truth of one
    "isbi": ("train-volume.tif",),
    "ctc": ("[0-9]*_GT/SEG/man_seg*.tif", "[0-9]*_ST/SEG/man_seg*.tif"),
    "dsb2018": ("*/images/*.png", "stage1_train/*/images/*.png"),
    "folder": ("images/*",),
}


def planes_of(spec: str) -> list[Path]:
    """Return files as large as all images that `load_data` would read; none where that is not known before."""
    kind, _, directory = spec.partition(":")
    folder = Path(os.path.expanduser(directory))
    found = [list(folder.glob(pattern)) for pattern in PLANES.get(kind, ())] if directory else []
    return max(found, key=len, default=[])


def load_data(spec: str, seed: int = 0, **options) -> Dataset:
    """Return the data set that `spec` names: "synthetic", or "isbi:DIR", "ctc:DIR", "dsb2018:DIR" or "folder:DIR".

    `seed` is for the synthetic cells only. In DIR, ~ is the home folder. `options` are those of the readers: see
    `read_folder`, `read_ctc`, `read_dsb2018` and `read_isbi`.

    Raises
    ------
    InputError
        If the spec has another form, the folder is of another kind, it has no such option, or its reader refuses it.
    """
    kind, _, directory = spec.partition(":")
    given = {name: value for name, value in options.items() if value not in (None, False, "auto")}
    if kind in OPTIONS:
        _check_options(kind, given)
    if spec == "synthetic":
        return synthetic_dataset(seed)
    if kind not in FOLDER_READERS or not directory:
        forms = ", ".join(["synthetic", *(f"{name}:DIR" for name in FOLDER_READERS)])
        raise InputError(f"expected data in one of the forms {forms}, got {spec!r}; {_remedy(spec)}")
    folder = Path(os.path.expanduser(directory))
    found = [name for name in SIGNS if _has_signs(folder, name)]
    if found and kind not in found:
        raise InputError(f"expected a folder of kind {kind}, got one of kind {found[0]}; write {found[0]}:{directory}")
    with _one_warning_of_a_kind():
        return FOLDER_READERS[kind](folder, **given)


@contextlib.contextmanager
def _one_warning_of_a_kind():
    """Let what is left out of many files, such as each one's alpha, be said once, with how many they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    by_kind: dict[str, list[warnings.WarningMessage]] = {}
    for warning in caught:
        by_kind.setdefault(str(warning.message).partition(": ")[2], []).append(warning)
    for first, *others in by_kind.values():
        count = f"; and so in {len(others)} more" if others else ""
        warnings.warn(f"{first.message}{count}", first.category, stacklevel=4)


def _check_options(kind: str, given: dict) -> None:
    for name in given:
        if name not in OPTIONS[kind]:
            kinds = " or ".join(f"{other}:" for other, names in OPTIONS.items() if name in names)
            why = {
                "invert": ", which has binary masks; instances and classes have no other side",
                "field_of_interest": ", of which a band at the border may not be annotated",
            }
            option = name if given[name] is True else f"{name}={given[name]}"
            raise InputError(f"{option} is for {kinds}{why.get(name, '')}, got {kind}; leave it out")


def _remedy(spec: str) -> str:
    """Return how to name the data; a folder alone gets the kind that its files are a sign of."""
    folder = Path(os.path.expanduser(spec))
    if not spec or not folder.is_dir():
        return "write the folder after the colon"
    kind = next((name for name in SIGNS if _has_signs(folder, name)), "folder")
    return f"write {kind}:{spec}"


def _has_signs(folder: Path, kind: str) -> bool:
    return any(True for pattern in SIGNS[kind] for _ in folder.glob(pattern))
