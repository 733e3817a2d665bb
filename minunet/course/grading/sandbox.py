"""Where a student's process runs: in bubblewrap, in a container, or, where there is neither, in a folder of its own.

In the first two it sees Python, minunet, and an empty folder in memory: no other file, no other process, no network.
"""

import contextlib
import importlib.util
import os
import shutil
import site
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import minunet
from minunet.errors import InputError

WORKER = ["-m", "minunet.course.grading.worker"]
DISK = 512 * 2**20  # bytes that a submission may write
MEMORY = 4 * 2**30  # bytes that one of its processes may use
PROCESSES = 100
HOME = "/tmp"  # the one folder that can be written, in bubblewrap and in a container
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
PACKAGE = Path(minunet.__file__).resolve().parent
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "MINUNET_QUICK": "1",
    "MPLBACKEND": "agg",
    "PIP_NO_INDEX": "1",  # a cell that installs something ends at once, and changes nothing here
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


class Started(NamedTuple):
    """A student's process, and what removes all that it leaves behind."""

    process: subprocess.Popen
    clean_up: Callable[[], None]


@dataclass(frozen=True)
class Sandbox:
    """What keeps submissions away from each other and from the machine; `hidden` is the folder they came from."""

    kind: str  # bwrap, docker, podman, or none
    image: str | None = None
    hidden: Path | None = None

    def start(self) -> Started:
        """Start a worker with pipes as its standard input and output."""
        if self.kind == "bwrap":
            return _start(["bwrap", *_bubblewrap_options(self.hidden), sys.executable, *WORKER], _environment(HOME))
        if self.kind == "none":
            folder = tempfile.TemporaryDirectory(prefix="minunet-", ignore_cleanup_errors=True)
            return _start([sys.executable, *WORKER], _environment(folder.name), folder.name, folder.cleanup)
        name = f"minunet-{uuid.uuid4().hex[:12]}"

        def remove():
            subprocess.run([self.kind, "rm", "--force", name], check=False, capture_output=True)

        return _start(self.in_a_container("--name", name), dict(os.environ), clean_up=remove)

    def in_a_container(self, *options: str) -> list[str]:
        """Return the command that starts a worker in a new container."""
        return [self.kind, "run", *options, *_container_options(), str(self.image), "python", *WORKER]

    @property
    def warning(self) -> str | None:
        """Return in one line what is not protected, or None."""
        if self.kind != "none":
            return None
        return (
            "no bubblewrap (bwrap) here, so a submission can read, change and delete your files and use the network; "
            "for people you do not know, install bubblewrap, or use --container IMAGE"
        )


def choose(image: str | None, hidden: Path) -> Sandbox:
    """Return a container of that image if one is given, else bubblewrap if it works here, else no sandbox.

    Raises
    ------
    InputError
        If an image is given, and neither podman nor docker runs it; or if Jupyter is missing.
    """
    if image:
        kind = next((name for name in ("podman", "docker") if shutil.which(name)), None)
        if kind is None:
            raise InputError("--container needs podman or docker, found neither; install one, or leave it out")
        sandbox = Sandbox(kind, image)
        if not _works(sandbox):
            why = _complaint(sandbox)
            needs = "the image needs python with minunet's extra [notebooks]"
            raise InputError(f"--container: {kind} does not run minunet's worker in {image}; {needs}; it says: {why}")
        return sandbox
    if importlib.util.find_spec("ipykernel") is None:
        remedy = "python -m pip install -e '.[notebooks]'"
        raise InputError(f"grading needs Jupyter, found no ipykernel; install it with {remedy}")
    sandbox = Sandbox("bwrap", hidden=hidden.resolve())
    return sandbox if shutil.which("bwrap") and _works(sandbox) else Sandbox("none")


def _works(sandbox: Sandbox) -> bool:
    """Tell whether a worker starts there and imports what it needs; without a question it ends with an error."""
    try:
        started = sandbox.start()
    except OSError:
        return False
    try:
        assert started.process.stdin
        started.process.stdin.close()
        return started.process.wait(timeout=120) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        end(started)


def _complaint(sandbox: Sandbox) -> str:
    """Return the last line that the engine, or Python in the container, writes instead of working."""
    try:
        done = subprocess.run(
            sandbox.in_a_container(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or "nothing").splitlines()[-1]


def end(started: Started) -> None:
    """End the process and all others of its group, and remove what they left behind."""
    with contextlib.suppress(Exception):
        import psutil

        for child in psutil.Process(started.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(started.process.pid, 9)
    with contextlib.suppress(OSError):
        started.process.kill()
    started.process.wait()
    # to close a pipe waits for the thread that reads or writes it, and so for a process that escaped with its other end
    threading.Thread(target=_close, args=(started.process.stdin, started.process.stdout), daemon=True).start()
    started.clean_up()


def _close(*pipes) -> None:
    for pipe in pipes:
        with contextlib.suppress(OSError, ValueError):
            pipe.close()


def _start(command: list[str], environment: dict, folder: str | None = None, clean_up=lambda: None) -> Started:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Started(process, clean_up)


def _environment(home: str) -> dict[str, str]:
    own = {name: home for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR")}
    own |= {"MPLCONFIGDIR": os.path.join(home, ".matplotlib"), "PYTHONPATH": str(PACKAGE.parent)}
    needed = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return needed | ENVIRONMENT | own


def _bubblewrap_options(hidden: Path | None) -> list[str]:
    """Return the options: Python and minunet to read, a folder in memory to write, and nothing else."""
    seen = [sys.prefix, sys.base_prefix, site.getusersitepackages(), str(PACKAGE)]
    seen += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    seen = [os.path.realpath(path) for path in seen] + seen
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    options += ["--proc", "/proc", "--dev", "/dev", "--size", str(DISK), "--tmpfs", HOME]
    for path in dict.fromkeys([*SYSTEM, *seen]):
        options += ["--symlink", os.readlink(path), path] if os.path.islink(path) and path in SYSTEM else []
        options += ["--ro-bind-try", path, path] if not os.path.islink(path) else []
    if hidden is not None and any(hidden.is_relative_to(path) for path in seen if os.path.isdir(path)):
        options += ["--tmpfs", str(hidden)]
    return [*options, "--chdir", HOME, "--"]


def _container_options() -> list[str]:
    """Return the same for docker and podman, whose image has Python and what minunet needs."""
    options = ["--rm", "--interactive", "--init", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    options += ["--security-opt", "no-new-privileges", "--user", "65534:65534", "--workdir", HOME]
    options += ["--pids-limit", str(PROCESSES), "--memory", str(2 * MEMORY), "--memory-swap", str(2 * MEMORY)]
    options += ["--tmpfs", f"{HOME}:rw,size={DISK},mode=1777", "--volume", f"{PACKAGE}:/minunet/minunet:ro"]
    environment = ENVIRONMENT | {"HOME": HOME, "IPYTHONDIR": HOME, "MPLCONFIGDIR": f"{HOME}/.matplotlib"}
    environment["PYTHONPATH"] = "/minunet"
    return options + [word for pair in environment.items() for word in ("--env", "=".join(pair))]
