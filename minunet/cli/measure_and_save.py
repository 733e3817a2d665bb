"""The end of `minunet train`: measure the network on all held-out images, and store what suits them."""

from pathlib import Path

from minunet.cli.messages import print_line
from minunet.data import Dataset
from minunet.metrics.chosen_split import choose_split
from minunet.metrics.chosen_threshold import choose_threshold
from minunet.metrics.table import table
from minunet.prediction.predict import predict_samples
from minunet.training import run_folder
from minunet.training.health import if_no_better
from minunet.training.train import Run
from minunet.training.validation import predict_part, prediction_tile


def measure_and_save(run: Run, dataset: Dataset, folder: Path) -> None:
    """Choose the threshold and the split, and write the checkpoint with it, the measures and the pictures.

    Without held-out images both are chosen on training images, and nothing is measured.
    """
    samples = dataset.validation
    if samples:
        tile = prediction_tile(run.config)
        probabilities = predict_samples(run.network, samples, tile=tile, progress=True)
        images = f"{len(samples)} held-out image{'s' if len(samples) > 1 else ''}"
    else:
        chosen, probabilities = predict_part(run, dataset.train)
        images = f"{len(chosen)} training image{'s' if len(chosen) > 1 else ''}, as none is held out"
    threshold = choose_threshold(samples or chosen, probabilities)
    split = choose_split(samples or chosen, probabilities, threshold.threshold)
    run = run._replace(threshold=threshold.threshold, split=split.split)
    run_folder.save_run(run, folder, samples)
    if samples:
        evaluation = run_folder.write_evaluation(
            samples, probabilities, folder, run.threshold, run.split, values=dataset.classes
        )
        print_line(table(evaluation))
        if line := if_no_better(run, evaluation["pixel_error"], evaluation["majority_pixel_error"]):
            print_line(line.replace("learning_rate=", "--learning-rate "))
    of_many = f"threshold {threshold.threshold:g}: of more than two classes the most probable one is taken"
    print_line(threshold.in_words(images) if dataset.num_classes == 2 else of_many)
    print_line(split.in_words(images))
    pictures = [folder / "contact_sheet.png"] if samples else []
    print_line(f"look at {' and '.join(map(str, [*pictures, folder / 'curves.png']))}")
