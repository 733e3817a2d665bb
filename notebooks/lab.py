"""JupyterLab with a browser that a program drives: the notebooks as a student sees them.

Needs the extras notebooks and browser, and Chromium with its driver (on Debian: apt install chromium chromium-driver).
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SIZE = "1200,1500"  # pixels of the window
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --no-proxy-server"
QUIET += " --disable-component-update --disable-sync --hide-scrollbars"
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
NOTEBOOK = "[...window.jupyterapp.shell.widgets('main')][0]"  # 'the current widget' would need a window with focus


def missing() -> str | None:
    """Return what is missing to drive a browser, or None."""
    for module in ("jupyterlab", "selenium"):
        try:
            __import__(module)
        except ImportError:
            return f"no {module}: python -m pip install -e '.[notebooks,browser]'"
    if not _chromium():
        return "no Chromium"
    return None if shutil.which("chromedriver") else "no chromedriver"


@contextlib.contextmanager
def serve(folder: Path, **environment: str):
    """Serve a folder on this machine only; yield the address of a notebook in it as a function of its name."""
    with tempfile.TemporaryDirectory() as own, contextlib.ExitStack() as stack:
        config = Path(own) / "labconfig" / "page_config.json"
        config.parent.mkdir()
        config.write_text(json.dumps(NO_NEWS))
        port, token = _free_port(), secrets.token_hex()
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        command += [
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
        ]
        command += [f"--ServerApp.root_dir={folder}", "--LabApp.extension_manager=readonly"]
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        folders = {"JUPYTER_CONFIG_DIR": own, "JUPYTER_RUNTIME_DIR": f"{own}/runtime", "IPYTHONDIR": f"{own}/ipython"}
        log = stack.enter_context(open(Path(own) / "log", "w+"))
        server = subprocess.Popen(
            command, env={**os.environ, **folders, "PYTHONPATH": paths, **environment}, stdout=log, stderr=log
        )
        try:
            _wait(lambda: _answers(port) or server.poll() is not None, 120)
            if server.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"JupyterLab ended: {log.read()[-2000:]}")
            yield lambda name: f"http://127.0.0.1:{port}/doc/tree/{name}?token={token}"
        finally:
            server.terminate()
            server.wait(30)


@contextlib.contextmanager
def browser():
    """Yield a selenium driver of a headless Chromium with a fresh profile."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = _chromium()
        for flag in [*QUIET.split(), f"--window-size={SIZE}", f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            yield driver
        finally:
            driver.quit()


def open_notebook(driver, address: str) -> None:
    """Open a notebook and wait until it is drawn and its kernel is ready."""
    driver.get(address)
    _wait(lambda: driver.execute_script(f"return !!window.jupyterapp && !!{NOTEBOOK}?.context?.isReady"), 120)
    _wait(lambda: driver.execute_script(f"return {NOTEBOOK}.sessionContext.session?.kernel?.status") == "idle", 120)
    driver.execute_script(f"window.jupyterapp.shell.activateById({NOTEBOOK}.id)")


def run_all(driver, seconds: float = 300) -> list[dict]:
    """Run all cells as the menu Run does; return the cells, as in an .ipynb file, once all have run."""
    script = "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => arguments[0](true))"
    driver.set_script_timeout(seconds)
    driver.execute_async_script(script)
    return driver.execute_script(f"return {NOTEBOOK}.model.toJSON()")["cells"]


def screens(driver):
    """Scroll from the top of the notebook to its end, one window at a time; yield the number of each screen."""
    scroller = "const s = document.querySelector('.jp-WindowedPanel-outer');"
    driver.execute_script(f"{scroller} s.scrollTop = 0")
    number, before = 1, -1
    while True:
        time.sleep(1)  # until the cells that came into view are drawn
        top = driver.execute_script(f"{scroller} return s.scrollTop")
        if top == before:
            return
        yield number
        number, before = number + 1, top
        driver.execute_script(f"{scroller} s.scrollTop += s.clientHeight - 60")


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _wait(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened for {seconds} s")
        time.sleep(0.2)
