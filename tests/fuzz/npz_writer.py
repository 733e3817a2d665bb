"""Writes .npz files that NumPy would not write: headers that lie, members twice, pickles, and bombs."""

import io
import pickle
import warnings
import zipfile
from typing import NamedTuple

import numpy as np

BOMB = 300 * 2**20  # bytes that a member of 300 kB unpacks to


class Member(NamedTuple):
    """One array of the file; `header` and `data`, if given, are written in place of its own."""

    name: str
    array: np.ndarray
    header: str | None = None
    data: bytes | None = None
    packed: bool = False

    @property
    def is_honest(self) -> bool:
        """Tell whether a reader may believe the header."""
        return self.header is None and self.data is None


def npz_bytes(members: list[Member]) -> bytes:
    """Return the bytes of a file with these members, in their order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a name that is there twice, which is meant
        for member in members:
            info = zipfile.ZipInfo(f"{member.name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED if member.packed else zipfile.ZIP_STORED
            data = member.array.tobytes("A") if member.data is None else member.data
            archive.writestr(info, _header(member) + data, compresslevel=1)
    return file.getvalue()


def _header(member: Member) -> bytes:
    text = member.header
    if text is None:
        order, shape = np.isfortran(member.array), member.array.shape
        descr = np.lib.format.dtype_to_descr(member.array.dtype)
        text = repr({"descr": descr, "fortran_order": bool(order), "shape": shape})
    line = text.encode("latin-1", "replace") + b"\n"
    return b"\x93NUMPY\x01\x00" + (len(line) % 65536).to_bytes(2, "little") + line


def mutated_members(rng, members: list[Member]) -> list[Member]:
    """Return the members after one or two changes."""
    members = list(members)
    for _ in range(rng.integers(1, 3)):
        where = int(rng.integers(len(members)))
        what = rng.integers(10)
        if what == 0 and len(members) > 2:
            del members[where]
        elif what == 1:
            members.insert(where, members[int(rng.integers(len(members)))])
        elif what == 2:
            other = int(rng.integers(len(members)))
            mine, others = members[where], members[other]
            members[where], members[other] = mine._replace(name=others.name), others._replace(name=mine.name)
        else:
            members[where] = _mutated(rng, members[where])
    if rng.random() < 0.004:
        header = repr({"descr": "|u1", "fortran_order": False, "shape": (BOMB,)})
        members.append(Member("params/bomb", np.zeros(0), header, bytes(BOMB), packed=True))
    return members


def _mutated(rng, member: Member) -> Member:
    """Return a member with another name, type, shape, order, number, header or packing."""
    x = member.array
    match rng.integers(8):
        case 0:
            return member._replace(name=_other_name(rng, member.name))
        case 1:
            kinds = ["f2", "f4", "f8", ">f4", "i8", "u1", "?", "c8", "U3", "S3", "M8[s]", "V4", "f16"]
            with np.errstate(all="ignore"):
                return member._replace(array=_as_type(x, kinds[rng.integers(len(kinds))]))
        case 2:
            shapes = [x[..., None], x[None], x.T, x[:-1] if x.ndim else x, x.ravel(), x[:0] if x.ndim else x]
            return member._replace(array=np.ascontiguousarray(shapes[rng.integers(len(shapes))]))
        case 3:
            return member._replace(array=np.asfortranarray(x))
        case 4 if x.dtype.kind == "f" and x.size:
            values = [np.nan, np.inf, -np.inf, 3e38, -1.0, 0.0, 1e-45, 1e4]
            x = x.copy()
            x.flat[rng.integers(x.size)] = values[rng.integers(len(values))]
            return member._replace(array=x)
        case 5:
            return member._replace(data=pickle.dumps({"a": 1}) if rng.random() < 0.5 else rng.bytes(x.nbytes // 2))
        case 6:
            return member._replace(packed=True)
        case _:
            return member._replace(header=_other_header(rng, x))


def _as_type(x: np.ndarray, kind: str) -> np.ndarray:
    try:
        return x.astype(kind)
    except (ValueError, TypeError):
        return np.zeros(x.shape, kind)


def _other_name(rng, name: str) -> str:
    names = ["", "params/", "about/x", "../../x", "é²", "x" * 3000, "params/" + "a." * 3000, "\x1b[31m", "params/a.0.b"]
    names += [name + ".x", name[:-1], name.upper(), name.replace("0", "00"), name.replace("0", "1"), name + " "]
    names += [name.replace("0", "²"), name.replace("/", "//"), name.replace(".", "/"), name.replace("0", "-1")]
    return names[rng.integers(len(names))]


def _other_header(rng, x: np.ndarray) -> str:
    shapes = [
        "(1000000000000,)",
        "(-1,)",
        "(9223372036854775808,)",
        "(1, -2, -3)",
        "()",
        "(2.0,)",
        "(True,)",
        "'x'",
        "None",
    ]
    shapes += [f"({'1, ' * 70})", "(0, 99999999999999999999)", f"{(*x.shape, 1)}", f"{x.shape}", "(" * 300]
    descrs = [
        "'<f4'",
        "'<f8'",
        "'|O'",
        "'<U1000000000'",
        "[('a', '<f4')]",
        "'<M8[s]'",
        "'f'",
        "None",
        "'x'",
        "'|V0'",
        "'a4'",
    ]
    shape, descr = shapes[rng.integers(len(shapes))], descrs[rng.integers(len(descrs))]
    order = ["False", "True", "None", "1"][rng.integers(4)]
    texts = [f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"] * 6
    texts += [
        "",
        "{",
        "{}",
        f"{{'descr': {descr}, 'shape': {shape}}}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,), }",
    ]
    texts += ["\0" * 100, "[" * 5000, f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, 'x': 1}}"]
    return texts[rng.integers(len(texts))]
