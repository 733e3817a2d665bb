"""Which images of a data set are held out: the last ones, as many as a reader or the user says, or those named."""

import math
from pathlib import Path

from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError, shown

NONE = "0"  # hold out nothing; for who measures all images, or splits them in another way


def split(name: str, samples: list[Sample], share: int, hold_out: str | float | None = None, **about) -> Dataset:
    """Return a data set, of which some samples are held out.

    Parameters
    ----------
    name : str
    samples : list of Sample
    share : int
        Without `hold_out`, the last 1 / `share` is held out, and at least one sample.
    hold_out : as for `held_out_names`
    **about
        Other fields of the data set.

    Raises
    ------
    InputError
        If nothing is left to train on, a name is unknown, or the numbers of channels differ.
    """
    _check_channels(samples)
    held_out = held_out_names(name, [sample.name for sample in samples], share, hold_out)
    train = [sample for sample in samples if sample.name not in held_out]
    validation = [sample for sample in samples if sample.name in held_out]
    return Dataset(name, train, validation, **{"num_classes": 2, **about})


def held_out_names(data: str, names: list[str], share: int, hold_out: str | float | None = None) -> set[str]:
    """Return the names of the images that are held out.

    `hold_out` is a number of images, the last ones; or a share of them, above 0 and below 1, again the last ones; or
    names, with commas between them or one a line; None is the last 1 / `share`, and at least one.
    """
    number = _as_number(hold_out)
    if number == 0:
        return set()
    if len(names) < 2:
        raise InputError(
            f"{data}: expected at least 2 images with truth, one of them to hold out, got {len(names)}; add more"
        )
    if hold_out is None:
        number = max(1, len(names) // share)
    elif number is None:
        return _named(str(hold_out), names)
    elif 0 < number < 1:
        number = max(1, round(number * len(names)))
    if not float(number).is_integer():
        raise InputError(
            f"hold_out must be a number of images, a share below 1 or names, got {hold_out}; 0.2 is a fifth"
        )
    if not 0 < number < len(names):
        raise InputError(f"hold_out must be from 1 to {len(names) - 1} of the {len(names)} images, got {hold_out}")
    return set(names[-int(number) :])


def names_in_file(hold_out: str) -> str:
    """Return the names in a text file, one a line, if `hold_out` is the path of one; otherwise `hold_out` itself."""
    path = Path(hold_out)
    if _as_number(hold_out) is not None or not path.is_file():
        return hold_out
    try:
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text file with a name a line, got something else; check it") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path}: expected the names of images, one a line, got none; write the names to hold out")
    return "\n".join(names) + "\n"


def _as_number(hold_out: str | float | None) -> float | None:
    try:
        number = float(hold_out) if hold_out is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) and "\n" not in str(hold_out) else None


def _named(hold_out: str, names: list[str]) -> set[str]:
    """Return the images that `hold_out` names, with or without the extension of their files."""
    wanted = [word.strip() for word in hold_out.split("\n" if "\n" in hold_out else ",") if word.strip()]
    found = {word: word if word in names else Path(word).stem for word in wanted}
    unknown = [word for word in wanted if found[word] not in names]
    if unknown or not wanted:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        got = shown(unknown[0]) if unknown else "none"
        if len(wanted) == 1 and Path(wanted[0]).suffix and not Path(wanted[0]).exists():
            more = ", and there is no such file"
        raise InputError(
            f"hold_out must be names of images, such as {names[-1]}, or a file with such names, a number or a share; "
            f"got {got}{more}; check the spelling"
        )
    if len(set(found.values())) == len(names):
        raise InputError(f"hold_out must leave an image to train on, got all {len(names)}; name fewer")
    return set(found.values())


def _check_channels(samples: list[Sample]) -> None:
    for sample in samples[1:]:
        if len(sample.image) != len(samples[0].image):
            raise InputError(
                f"expected images with the same number of channels, got {len(samples[0].image)} in {samples[0].name} "
                f"and {len(sample.image)} in {sample.name}; convert all to grey or all to colour"
            )
