"""What masks mean: the folders that people bring, what is told for certain, what is asked, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data, read_folder
from minunet.data.readers import masks as masks_module
from minunet.errors import InputError

H, W = 40, 48


def disc(y, x, radius=7, shape=(H, W)):
    rows, columns = np.indices(shape)
    return np.hypot(rows - y, columns - x) < radius


def smooth_disc(y, x, radius=7):
    rows, columns = np.indices((H, W))
    return (255 * np.clip(radius - np.hypot(rows - y, columns - x) + 0.5, 0, 1)).astype(np.uint8)


def smears(i):
    """Return a blood smear's mask: plasma 0, cell 128, nucleus 255."""
    mask = np.zeros((H, W), np.uint8)
    mask[disc(20, 20 + i, 12)], mask[disc(20, 20 + i, 5)] = 128, 255
    return mask


def numbered(count, spacing=9):
    mask = np.zeros((H, W), np.int32)
    places = [(y, x) for y in range(4, H - 4, spacing) for x in range(4, W - 4, spacing)]
    for number, (y, x) in enumerate(places[:count], start=1):
        mask[y - 3 : y + 4, x - 3 : x + 4] = number
    return mask


@pytest.fixture
def folder(tmp_path):
    def write(masks, kind="png", colour=False, **options):
        rng = np.random.default_rng(0)
        for part in ("images", "masks"):
            (tmp_path / part).mkdir()
        for i, mask in enumerate(masks):
            image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            shape = (image.height, image.width, 3) if colour else (image.height, image.width)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / "images" / f"im{i}.png")
            image.save(tmp_path / "masks" / f"im{i}.{kind}", **options)
        return tmp_path

    return write


def labels_of(dataset):
    return [sample.labels for sample in dataset.train + dataset.validation]


def test_blood_smears_with_three_values_are_asked_about_and_each_answer_is_taken(folder):
    smear = [smears(i) for i in range(3)]
    path = folder(smear, colour=True)
    with pytest.raises(InputError) as caught:
        read_folder(path)
    total = 3 * H * W
    for value in (0, 128, 255):
        share = 100 * sum(np.count_nonzero(mask == value) for mask in smear) / total
        assert f"{value} ({share:.3g} % of pixels)" in str(caught.value)
    for answer in ("labels=classes", "labels=binary", "labels=instances"):
        assert answer in str(caught.value)

    by_class = read_folder(path, labels="classes")
    assert (by_class.num_classes, by_class.classes) == (3, "0,128,255")
    assert by_class.note.startswith("3 classes: 0 is 0 (") and by_class.train[0].instances is None
    for labels, mask in zip(labels_of(by_class), smear, strict=True):
        np.testing.assert_array_equal(labels, np.searchsorted([0, 128, 255], mask))
    binary = read_folder(path, labels="binary")
    assert binary.num_classes == 2 and "cut at 127.5: above is cell (" in binary.note
    np.testing.assert_array_equal(binary.train[0].labels, smear[0] > 127)
    cells = read_folder(path, labels="instances").train[0]
    np.testing.assert_array_equal(cells.uncut, smear[0])


def test_smoothed_outlines_are_asked_about_and_cut_in_the_middle(folder):
    smooth = [smooth_disc(15.3 + i, 20.6 + 0.2 * i) for i in range(3)]
    assert len(np.unique(smooth)) > 10  # as many values as there may be cells
    path = folder(smooth)
    with pytest.raises(
        InputError, match=r"got \d+ values: 0 .* and \d+ more; say what they mean: labels=binary \("
    ) as caught:
        read_folder(path)
    assert "labels=classes" not in str(caught.value)  # it would be refused, see below
    for labels, mask in zip(labels_of(read_folder(path, labels="binary")), smooth, strict=True):
        np.testing.assert_array_equal(labels, mask > 127)
    with pytest.raises(InputError, match="most of them rare, as after JPEG compression or with smoothed outlines"):
        read_folder(path, labels="classes")


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (1, 2)])
def test_two_values_are_background_and_cell(folder, values):
    low, high = values
    planes = [np.where(disc(15, 20), high, low).astype(np.uint8), np.full((H, W), low, np.uint8)]
    dataset = read_folder(folder(planes))
    np.testing.assert_array_equal(dataset.train[0].labels, disc(15, 20))
    assert not dataset.validation[0].labels.any()
    share = f"{50 * disc(15, 20).mean():.3g} % of pixels"
    assert dataset.note == f"{high} is cell ({share}), {low} background; `invert` swaps them"


def test_many_numbers_in_one_piece_each_are_cells_and_fewer_are_asked_about(folder, tmp_path):
    path = folder([numbered(12).astype(np.uint8), numbered(3).astype(np.uint8)])
    dataset = read_folder(path)
    np.testing.assert_array_equal(dataset.train[0].uncut, numbered(12))
    np.testing.assert_array_equal(dataset.validation[0].uncut, numbered(3))
    with pytest.raises(InputError, match="expected binary masks, got a number for each cell; labels=instances"):
        read_folder(path, labels="binary")
    Image.fromarray(numbered(masks_module.MANY - 1).astype(np.uint8)).save(tmp_path / "masks" / "im0.png")
    with pytest.raises(InputError, match="say what they mean"):
        read_folder(path)


def test_classes_that_come_in_many_pieces_are_not_taken_for_cells(folder):
    pieces = np.concatenate([numbered(12), numbered(12)]).astype(np.uint8)
    with pytest.raises(InputError, match="say what they mean"):
        read_folder(folder([pieces, pieces]))


def test_as_many_cells_as_sixteen_bits_can_number(folder):
    mask = np.zeros((512, 1024), np.uint16)
    mask[::2, ::4] = np.arange(1, 65537).reshape(256, 256) % 65536
    dataset = read_folder(folder([mask, mask], kind="tif"), labels="instances")
    assert dataset.train[0].instances.max() == 65535 and len(np.unique(dataset.train[0].instances)) == 65536


def test_fundus_photographs_with_vessels_in_gif(folder):
    vessels = [np.where(disc(20, 10 + i, 4), 255, 0).astype(np.uint8) for i in range(2)]
    dataset = read_folder(folder(vessels, kind="gif", colour=True))
    assert dataset.train[0].image.shape == (3, H, W)
    np.testing.assert_array_equal(dataset.train[0].labels, vessels[0] > 0)


def palette_image(numbers, *colours):
    image = Image.fromarray(numbers.astype(np.uint8), "L").convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette([part for colour in colours for part in colour])
    return image


def test_a_palette_of_greys_counts_by_what_is_shown(folder):
    cell = disc(20, 20)
    shown = [palette_image(~cell, (255, 255, 255), (0, 0, 0)), palette_image(cell, (0, 0, 0), (255, 255, 255))]
    for labels in labels_of(read_folder(folder(shown))):
        np.testing.assert_array_equal(labels, cell)


def test_colours_are_classes_by_colour_however_a_palette_numbers_them(folder):
    tissue = disc(20, 20, 12).astype(int) + disc(20, 20, 5)
    black, red, blue = (0, 0, 0), (255, 0, 0), (0, 0, 255)
    rgb = np.array([black, red, blue], np.uint8)[tissue]
    drawn = [
        palette_image(tissue, black, red, blue),
        palette_image(2 - tissue, blue, red, black),
        Image.fromarray(rgb),
        Image.fromarray(np.zeros((H, W), np.uint8)),  # nothing in it, so it has no colours
    ]
    dataset = read_folder(folder(drawn), labels="classes")
    assert dataset.classes == "#000000,#0000ff,#ff0000"
    for labels in labels_of(dataset)[:3]:
        np.testing.assert_array_equal(labels, np.array([0, 2, 1])[tissue])
    assert not labels_of(dataset)[3].any()


def test_colours_of_one_palette_are_classes_by_their_numbers(folder, tmp_path):
    """As in the masks of Pascal VOC, whose palette is the same in all files, and whose borders have the last number."""
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (224, 224, 192)]  # blue is the smallest
    numbers = 4 * disc(20, 20, 12).astype(int) - 3 * disc(20, 20, 5)
    border = np.where(disc(20, 20, 13) & ~disc(20, 20, 12), 5, numbers)
    dataset = read_folder(folder([palette_image(mask, *colours) for mask in (border, numbers)]), labels="classes")
    assert dataset.classes == "#000000,#800000,#000080,#e0e0c0"
    np.testing.assert_array_equal(labels_of(dataset)[0], np.array([0, 1, 9, 9, 2, 3])[border])
    by_number = read_folder(tmp_path, classes="5,4,1,0")  # in another order
    assert by_number.classes == "#e0e0c0,#000080,#800000,#000000"
    np.testing.assert_array_equal(labels_of(by_number)[0], np.array([3, 2, 9, 9, 1, 0])[border])
    with pytest.raises(InputError, match=r"0=#000000 \(.*\), 1=#800000 \(.*\), 4=#000080 \(.*\), 5=#e0e0c0 \("):
        read_folder(tmp_path)
    with pytest.raises(InputError, match=r"the classes 0, 1, 5, got also 1 value: 4=#000080 \(.* void=4 leaves out"):
        read_folder(tmp_path, classes="0,1,5")
    palette_image(border, *colours[:5], (9, 9, 9)).save(tmp_path / "masks" / "im0.png")
    with pytest.raises(InputError, match=r"expected the classes 0, 1, 5, got colours, 4 values: #000000 \("):
        read_folder(tmp_path, classes="0,1,5")


def test_two_colours_are_binary_and_the_brighter_is_cell(folder):
    cell = disc(20, 20)
    red_on_black = np.array([(0, 0, 0), (255, 0, 0)], np.uint8)[cell.astype(int)]
    dataset = read_folder(folder([red_on_black] * 2))
    np.testing.assert_array_equal(dataset.train[0].labels, cell)
    assert dataset.note.startswith("#ff0000 is cell (") and "), #000000 background" in dataset.note


def test_jpeg_and_its_noise_are_refused(folder, tmp_path):
    path = folder([smears(i) for i in range(2)], kind="jpg")
    with pytest.raises(InputError, match=r"im0.jpg: expected a mask with exact values, got JPEG, which blurs"):
        read_folder(path)
    for file in sorted((tmp_path / "masks").iterdir()):
        Image.open(file).convert("RGB").save(file.with_suffix(".png"))  # too late: the noise is in it
        file.unlink()
    with pytest.raises(InputError, match="most of them rare, as after JPEG compression"):
        read_folder(path, labels="classes")


def test_membranes_are_the_object_unless_they_are_inverted(folder):
    membranes = [np.where(disc(20, 20 + i, 9) & ~disc(20, 20 + i, 7), 255, 0).astype(np.uint8) for i in range(2)]
    path = folder(membranes)
    np.testing.assert_array_equal(read_folder(path).train[0].labels, membranes[0] > 0)
    inverted = load_data(f"folder:{path}", invert=True)
    np.testing.assert_array_equal(inverted.train[0].labels, membranes[0] == 0)
    share = np.mean([mask == 0 for mask in membranes])
    assert inverted.note == f"0 is cell ({100 * share:.3g} % of pixels), 255 background; as `invert` says"
    with pytest.raises(InputError, match="invert is for binary masks, got instances: the other side of instances"):
        read_folder(folder_of_instances(path), invert=True)


def folder_of_instances(path):
    for i in range(2):
        Image.fromarray(numbered(12).astype(np.uint8)).save(path / "masks" / f"im{i}.png")
    return path


def test_classes_numbered_without_gaps_may_be_rare(folder):
    rare = np.zeros((H, W), np.uint8)
    rare[0, :8] = np.arange(8)
    assert read_folder(folder([rare, rare]), labels="classes").num_classes == 8


def test_named_classes_keep_their_numbers_where_one_is_missing(folder):
    path = folder([np.where(smears(i) == 128, 0, smears(i)).astype(np.uint8) for i in range(2)])
    dataset = read_folder(path, classes="0,128,255")
    assert dataset.num_classes == 3 and set(np.unique(labels_of(dataset))) == {0, 2}
    assert read_folder(path, classes="255,0").train[0].labels[0, 0] == 1  # background may be another than the first
    for classes, message in [
        ("0,128", r"expected the classes 0, 128, got also 1 value: 255 \(3.59 % of pixels\); name every class"),
        ("0", "classes must be 2 to 256 different values like 0,128,255"),
        ("0,0", "classes must be 2 to 256 different"),
        ("black,white", "got 'black' among them"),
    ]:
        with pytest.raises(InputError, match=message):
            read_folder(path, classes=classes)
    with pytest.raises(InputError, match="classes=0,255 is for labels=classes, got labels=binary"):
        read_folder(path, labels="binary", classes="0,255")


def test_masks_that_do_not_belong_together_are_refused(folder):
    path = folder([np.where(disc(20, 20), 255, 0).astype(np.uint8), disc(20, 20).astype(np.uint8)])
    with pytest.raises(InputError, match="say what they mean"):
        read_folder(path)
    with pytest.raises(InputError, match=r"mask of im1: .* cell above 127.5 .* got values from 0 to 1; save all masks"):
        read_folder(path, labels="binary")


def test_binary_masks_are_not_taken_for_one_cell_each(folder):
    two = np.where(disc(10, 10, 5) | disc(30, 30, 5), 255, 0).astype(np.uint8)
    with pytest.raises(InputError, match="got one value in 2 pieces; are they labels=binary"):
        read_folder(folder([two, two]), labels="instances")


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("synthetic", {"labels": "binary"}, "labels=binary is for folder:, got synthetic"),
        ("synthetic", {"hold_out": "3"}, "hold_out=3 is for isbi: or ctc: or dsb2018: or folder:, got synthetic"),
        ("ctc:x", {"invert": True}, "invert is for isbi: or folder:, which has binary masks"),
        ("folder:x", {"field_of_interest": 5}, "field_of_interest=5 is for ctc:, of which a band"),
    ],
)
def test_options_of_other_data_are_refused(spec, options, message):
    with pytest.raises(InputError, match=message):
        load_data(spec, **options)


def test_what_is_left_out_of_every_mask_is_said_once(folder):
    """As from drawing programs, which save an alpha."""
    drawn = [np.dstack([np.where(disc(20, 20), 255, 0)] * 3 + [np.full((H, W), 128)]).astype(np.uint8)] * 5
    with pytest.warns(UserWarning, match="im0.png: left out: its alpha; and so in 4 more$") as caught:
        dataset = load_data(f"folder:{folder([Image.fromarray(mask) for mask in drawn])}")
    assert len(caught) == 1
    np.testing.assert_array_equal(dataset.train[0].labels, disc(20, 20))
