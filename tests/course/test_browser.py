"""Notebook 02 in JupyterLab, in a real browser: all cells run, plots are drawn, a check is green."""

import os
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "notebooks" / "source" / "02_convolution.py"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not SOURCE.exists(), reason="no source of notebook 02"),
]


@pytest.fixture
def page(tmp_path):
    """Return a folder with notebook 02 as its solutions edition, which has no outputs yet."""
    lab = pytest.importorskip("lab")
    if why := lab.missing():
        pytest.skip(why)
    editions = pytest.importorskip("editions", reason="no jupytext")
    import nbformat

    nbformat.write(editions.solutions(editions.read_source(SOURCE)), tmp_path / "02_convolution.ipynb")
    return tmp_path


def test_notebook_02_runs_in_jupyterlab_and_shows_plots_and_a_green_check(page, tmp_path):
    """Screenshots go to the folder of the environment variable MINUNET_SCREENSHOTS, or are thrown away."""
    from selenium.webdriver.common.by import By

    import lab

    pictures = Path(os.environ.get("MINUNET_SCREENSHOTS") or tmp_path / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    plots, checks = set(), set()
    with lab.serve(page, MINUNET_QUICK="1", OPENBLAS_NUM_THREADS="1") as address, lab.browser() as driver:
        lab.open_notebook(driver, address("02_convolution.ipynb"))
        cells = lab.run_all(driver)
        for number in lab.screens(driver):
            driver.save_screenshot(str(pictures / f"02_convolution-{number:02}.png"))
            images = driver.find_elements(By.CSS_SELECTOR, ".jp-RenderedImage img")
            plots |= {image.id for image in images if image.size["width"] > 100 and image.size["height"] > 50}
            marks = driver.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output b")
            checks |= {mark.text for mark in marks if mark.value_of_css_property("color") == "rgba(0, 158, 115, 1)"}
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and cell["source"])
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert len(plots) >= 3
    assert any("conv2d_dx" in text and "\N{CHECK MARK}" in text for text in checks), checks
    assert len(list(pictures.iterdir())) >= 3
