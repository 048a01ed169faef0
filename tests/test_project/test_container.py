"""scripts/Dockerfile: what it says, against the texts that name it; and an image really built from it, and run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path

import pytest
from support.helpers import DEADLINE, ROOT, read_rows, save_png

from batch_infer import __version__

DOCKERFILE = (ROOT / "scripts/Dockerfile").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "scripts/README.md").read_text(encoding="utf-8")
(COMMANDS,) = re.findall(r"^```sh\n(.*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)
BUILD, RUN = COMMANDS.splitlines()
(CRONJOB,) = re.findall(r"^```yaml\n(.*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)
IMAGE = f"registry.example.org/mnist-logistic:{__version__}"
USER = 10001
TOOLS = ("podman", "runc", "debootstrap")
WEEK = 7 * 24 * 3600  # seconds


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_readme_builds_and_runs_the_image_that_kubernetes_is_told():
    assert shlex.split(BUILD) == ["podman", "build", "-f", "scripts/Dockerfile", "-t", IMAGE, "."]
    assert IMAGE in shlex.split(RUN)
    assert re.findall(r"image: (.*)", CRONJOB) == [IMAGE]
    assert instructions("ENTRYPOINT") == ['["batch-infer"]']
    assert "command:" not in CRONJOB  # its arguments go to the entry point


def test_the_image_is_not_run_as_root():
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert DOCKERFILE.rindex("\nUSER ") > DOCKERFILE.rindex("\nFROM ")
    (security,) = re.findall(r"securityContext: {(runAsNonRoot.*)}", CRONJOB)
    assert security == f"runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}, fsGroup: {USER}"
    assert "readOnlyRootFilesystem: true" in CRONJOB


def test_the_base_is_an_argument_and_pinned():
    (base,) = instructions("ARG")
    assert re.fullmatch(r"BASE=docker\.io/library/(python:3\.\d+\.\d+-slim-\w+)", base)
    assert f"`{base.rpartition('/')[2]}`" in OPERATIONS
    assert [line.split()[0] for line in instructions("FROM")] == ["$BASE", "$BASE"]


def test_what_is_copied_is_there_and_sent_to_the_builder():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for line in instructions("COPY") if "--from" not in line for name in line.split()[:-1]}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def call(*command: object, code: int = 0, **more) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=DEADLINE, check=False, **more
    )
    assert done.returncode == code, f"{done.stdout}{done.stderr}"
    return done


def kept(path: Path, make: Callable[[Path], None]) -> Path:
    """A file in pytest's cache, made if it is not there or is more than a week old."""
    if not path.exists() or path.stat().st_mtime < time.time() - WEEK:
        path.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            make(Path(folder) / path.name)
            os.replace(Path(folder) / path.name, path)  # whole, or not at all
    return path


def make_debian(archive: Path) -> None:
    base = archive.with_name("base")
    call("debootstrap", "--variant=minbase", "--include=python3-venv", "bookworm", base)
    (base / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    call("tar", "-C", base, "-cf", archive, ".")


@pytest.fixture
def podman(tmp_path_factory, request):
    """Podman with a store of its own, in which README's command has built the image.

    The base is a Debian made here, as the default one may be out of reach; it is kept for a week. The wheels are
    fetched before, in the versions of constraints.txt: nothing that the build lacks can come from elsewhere.
    """
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and {', '.join(TOOLS)}; missing: {', '.join(missing) or 'root'}: no image was built")
    folder = tmp_path_factory.mktemp("container")
    wheels = folder / "wheels"
    base = kept(request.config.cache.mkdir("container") / "debian-bookworm-python3-venv.tar", make_debian)
    needed = [line for line in requires("mnist-logistic") or () if "extra ==" not in line]
    call(
        sys.executable, "-m", "pip", "download", "--quiet", "--dest", wheels, "--constraint",
        ROOT / "scripts/constraints.txt", "--only-binary", ":all:", "--python-version", "3.11", "hatchling", *needed,
    )  # fmt: skip
    runroot = tempfile.mkdtemp(prefix="podman-")  # podman wants it short
    store = ("podman", "--root", folder / "store", "--runroot", runroot)
    call(*store, "import", "--quiet", base, "localhost/base")
    here = ("--isolation", "chroot", "--pull-never", "--build-arg", "BASE=localhost/base", "-v", f"{wheels}:/wheels:ro")
    call(*store, *shlex.split(BUILD)[1:-1], *here, ".", cwd=ROOT)
    yield store
    call(*store, "rmi", "--all", "--force")
    shutil.rmtree(folder)
    shutil.rmtree(runroot, ignore_errors=True)


@pytest.fixture
def run(podman):
    """Run the image as Kubernetes would: without rights, network, or any place to write but what is mounted."""

    def container(*arguments: object, options: tuple[object, ...] = (), code: int = 0):
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")  # runc may not raise them everywhere
        rights = ("--cap-drop", "all", "--security-opt", "no-new-privileges", "--read-only", "--read-only-tmpfs=false")
        where = ("--runtime", "runc", "--network", "none")
        return call(*podman, "run", "--rm", *where, *limits, *rights, *options, IMAGE, *arguments, code=code)

    return container


def mounted(scans: Path, out: Path, owner: int) -> tuple[object, ...]:
    out.mkdir()
    os.chown(out, owner, owner)
    return ("-v", f"{scans}:/srv/scans:ro", "-v", f"{out}:/srv/out")


@pytest.fixture
def scans(tmp_path, few):
    """60 pictures and a file that is empty: 1.6 %, within the example's limit of 2 %."""
    for number in range(60):
        save_png(tmp_path / "scans" / f"{number}.png", few.images[number])
    (tmp_path / "scans/empty.png").touch()
    return tmp_path / "scans"


def it_says_its_version_and_its_options(run):
    done = run("--version")
    assert (done.stdout, done.stderr) == (f"{__version__}\n", "")
    assert "Usage: batch-infer" in run("--help").stdout


def it_holds_no_torch_and_its_user_is_not_root(run):
    say = "import importlib.util as u, os; print(os.getuid(), os.getgid(), u.find_spec('torch'), u.find_spec('pip'))"
    assert run("-c", say, options=("--entrypoint", "/opt/mnist-logistic/bin/python")).stdout == (
        f"{USER} {USER} None None\n"
    )


def the_job_of_the_cronjob_runs_in_it(run, scans, out, few, user):
    (arguments,) = re.findall(r"args: \[(.*)\]", CRONJOB)
    options = mounted(scans, out, user) + (() if user == USER else ("--user", f"{user}:{user}"))
    done = run(*(part.strip('"') for part in arguments.split(", ")), options=options)
    assert done.stdout == ""
    rows = read_rows(out / "preds.csv")
    assert len(rows) == 61
    right = sum(row["prediction"] == str(few.labels[int(Path(row["path"]).stem)]) for row in rows if row["prediction"])
    assert right >= 58
    account = json.loads((out / "preds.run.json").read_text())
    assert (account["rows"], account["errors"], account["exit_code"]) == (61, {"empty": 1}, 0)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in out.iterdir()} == {(user, user)}


def a_large_folder_is_shared_among_its_processes(run, images, out, few):
    for number in range(2100):  # up to 2,048 run in one process
        save_png(images / f"{number}.png", few.images[number % 60])
    done = run("/srv/scans", "--out", "/srv/out/preds.parquet", "--workers", 2, options=mounted(images, out, USER))
    assert (done.stdout, done.stderr) == ("", "")
    assert (out / "preds.parquet").stat().st_size > 10_000


def exit_codes_and_messages_come_through(run, scans, out):
    assert "no such file or folder" in run("/srv/none", code=2).stderr
    done = run("/srv/scans", "--out", "/srv/out/p.csv", options=mounted(scans, out, 0), code=6)  # as README warns
    assert done.stderr == "batch-infer: /srv/out/: cannot be written: Permission denied; what was there stays\n"
    assert list(out.iterdir()) == []


def without_out_rows_go_to_stdout(run, scans):
    options = ("-v", f"{scans}:/srv/scans:ro", "--tmpfs", "/tmp")
    done = run("/srv/scans", "--max-errors", "2%", options=options)
    assert len(done.stdout.splitlines()) == 62


@pytest.mark.long
@pytest.mark.slow
def test_the_image_is_built_and_runs(run, scans, tmp_path, few):
    """All in one test: the tests are shared among processes, and each would build an image of its own."""
    it_says_its_version_and_its_options(run)
    it_holds_no_torch_and_its_user_is_not_root(run)
    the_job_of_the_cronjob_runs_in_it(run, scans, tmp_path / "out", few, USER)
    the_job_of_the_cronjob_runs_in_it(run, scans, tmp_path / "another user's", few, 1234)
    a_large_folder_is_shared_among_its_processes(run, tmp_path / "many", tmp_path / "out of many", few)
    exit_codes_and_messages_come_through(run, scans, tmp_path / "root's")
    without_out_rows_go_to_stdout(run, scans)
