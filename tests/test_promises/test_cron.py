"""Unattended for real: nothing written elsewhere, no home, no streams; and what the README says, run and linted."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.helpers import (
    DEADLINE,
    ROOT,
    clean_environment,
    read_rows,
    save_png,
    support_environment,
    support_program,
)

pytestmark = pytest.mark.slow  # starts many processes: not for --quick

OPERATIONS = (ROOT / "scripts" / "README.md").read_text(encoding="utf-8")
INSTALLED = Path(sys.executable).with_name("batch-infer")


def snapshot(*folders: Path) -> dict[str, tuple[int, ...]]:
    """Every file and folder below some folders, with what writing would change."""
    found = {}
    for folder in folders:
        for where, folders_here, files in os.walk(folder):
            folders_here[:] = [name for name in folders_here if name != "__pycache__"]
            for path in [where, *(os.path.join(where, name) for name in files)]:
                status = os.lstat(path)
                found[path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return found


def from_cron(arguments, *, cwd="/", code=0, closed="<&-", **environment) -> None:
    """Run the command as cron does, or worse; on success it must say nothing."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    done = subprocess.run(
        ["/usr/bin/env", "-i", "LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1", *variables,
         "/bin/sh", "-c", f'umask 077; exec "$@" {closed}', "sh", sys.executable, "-m", "batch_infer", *arguments],
        cwd=cwd, start_new_session=True, capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_nothing_is_written_but_in_the_output_folder(many, tmp_path):
    import batch_infer

    for name in ("home", "tmp", "cwd", "cache"):
        (tmp_path / name).mkdir()
    watched = [*(tmp_path / name for name in ("home", "tmp", "cwd", "cache", "in")), Path(batch_infer.__file__).parent]
    before = snapshot(*watched)
    options = [*many, "--out", tmp_path / "out" / "p.csv", "--workers", "2", "--incremental"]
    places = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp", "XDG_CACHE_HOME": tmp_path / "cache"}
    from_cron(options, cwd=tmp_path / "cwd", **places)
    assert snapshot(*watched) == before
    assert sorted(os.listdir(tmp_path / "out")) == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.history.csv", "p.lock", "p.mistakes.csv", "p.report.html",
        "p.run.json",
        "p.state",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}


@pytest.mark.parametrize("home", ["/proc", "/nonexistent", ""])  # nobody may write into /proc, not even root
def test_a_home_that_cannot_be_written_is_not_missed(many, tmp_path, home):
    from_cron([*many, "--out", tmp_path / "out" / "p.csv"], HOME=home, TMPDIR="/nonexistent")
    assert len(read_rows(tmp_path / "out" / "p.csv")) == 3_001


def test_with_all_three_standard_streams_closed_the_run_succeeds(many, tmp_path):
    # Files that are opened get the lowest free number: an output must not become what C code takes for stderr.
    from_cron([*many, "--out", tmp_path / "out" / "p.csv"], closed="<&- >&- 2>&-")
    account = json.loads((tmp_path / "out" / "p.run.json").read_text())
    content = (tmp_path / "out" / "p.csv").read_bytes()
    assert (account["rows"], account["predictions_sha256"]) == (3_001, hashlib.sha256(content).hexdigest())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says where descriptors lead")
def test_with_standard_streams_closed_no_output_gets_their_numbers(tmp_path, few):
    save_png(tmp_path / "a.png", few.images[0])
    command = [
        "/bin/sh",
        "-c",
        'exec "$@" <&- >&- 2>&-',
        "sh",
        *support_program("faults.at_rename"),
        "descriptors",
        "0",
    ]
    command += ["a.png", "--out", "p.csv"]
    done = subprocess.run(command, env=support_environment(), cwd=tmp_path, timeout=DEADLINE, check=False)
    assert done.returncode == 0
    assert (tmp_path / "seen").read_text() == "{0: '/dev/null', 1: '/dev/null', 2: '/dev/null'}"


# What scripts/README.md says.


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)


@pytest.fixture
def served(tmp_path, few):
    """Paths of the examples → here; 60 good scans and one that is empty (1.6 %, within the limit of 2 %)."""
    for number in range(60):
        save_png(tmp_path / "srv" / "scans" / f"{number}.png", few.images[number])
    (tmp_path / "srv" / "scans" / "empty.png").touch()
    (tmp_path / "srv" / "out").mkdir()
    places = {
        "/opt/mnist-logistic/.venv/bin/": f"{INSTALLED.parent}/",
        "/opt/mnist-logistic/": f"{ROOT}/",
        "/srv/": f"{tmp_path}/srv/",
    }
    return lambda text: re.sub("|".join(places), lambda match: places[match[0]], text)


def carry_out(command: str | list[str], out: Path) -> None:
    """Run an example: the one empty file is within --max-errors."""
    done = subprocess.run(
        command, shell=isinstance(command, str), env=clean_environment(PATH=f"{INSTALLED.parent}:{os.defpath}"),
        cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    account = json.loads((out / "preds.run.json").read_text())
    assert (account["rows"], account["errors"], account["exit_code"]) == (61, {"empty": 1}, 0)


def test_the_lines_of_the_crontab_run(served, tmp_path):
    mail, *lines = blocks("crontab")[0].splitlines()
    assert mail.startswith("MAILTO=")
    assert len(lines) == 2
    for line in lines:
        *when, command = line.split(maxsplit=5)
        assert all(re.fullmatch(r"\d+|\*", field) for field in when)
        assert not re.search(r"(?<!\\)%", command)  # cron makes a line break of it
        carry_out(served(command.replace("\\%", "%")), tmp_path / "srv" / "out")


def test_the_systemd_units_are_valid_and_the_command_runs(served, tmp_path):
    service, timer, path = blocks("ini")
    (command,) = re.findall("^ExecStart=(.*)$", service, re.MULTILINE)
    carry_out(shlex.split(served(command.replace("%%", "%"))), tmp_path / "srv" / "out")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the command was run, the units were not linted")
    units = {".service": served(service), ".timer": timer, ".path": served(path)}
    for name, content in ((f"batch-infer{suffix}", unit) for suffix, unit in units.items()):
        (tmp_path / name).write_text(content)
        done = subprocess.run(
            ["systemd-analyze", "verify", f"./{name}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (calendar,) = re.findall("^OnCalendar=(.*)$", timer, re.MULTILINE)
    subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, check=True)


def test_the_command_of_the_cronjob_runs(served, tmp_path):
    (arguments,) = re.findall(r"args: \[(.*)\]", blocks("yaml")[0])
    command = [str(INSTALLED), *(part.strip('"') for part in served(arguments).split(", "))]
    carry_out(command, tmp_path / "srv" / "out")


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed; the test above runs the job's command without it"
)
def test_the_cronjob_is_one_without_unknown_fields(tmp_path):
    (tmp_path / "job.yaml").write_text(blocks("yaml")[0])

    def keys(value) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        return set(value).union(*map(keys, value.values())) if isinstance(value, dict) else set()

    # Fields that the type of a CronJob does not have are lost on the way through kubectl.
    shown = subprocess.run(
        ["kubectl", "set", "env", "--local", "-f", "job.yaml", "A=b", "-o", "json"],
        env=clean_environment(HOME=str(tmp_path)), cwd=tmp_path, capture_output=True, timeout=DEADLINE, check=True,
    )  # fmt: skip
    written = set(re.findall(r"(\w+):(?= |$)", blocks("yaml")[0], re.MULTILINE))
    assert written - keys(json.loads(shown.stdout)) == set()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("nothing", ""),
        ("old", "the last run ended 1 day, 3:"),
        ("code", "exit code 4: no image found in srv/scans/gone"),
        ("gate", "exit code 8: ['--max-errors 0: 1 of 61 inputs could not be read']"),
        ("errors", "exit code 3: {'empty': 1}"),
        ("predictions", "not what the last run published"),
        ("missing", "No such file or directory"),
        ("damaged", "Expecting value"),
    ],
)
def test_the_check_sees_what_is_wrong(run, tmp_path, spoil, said):
    account = tmp_path / "srv" / "out" / "preds.run.json"
    predictions = account.with_name("preds.csv")
    (tmp_path / "srv" / "scans" / "gone").mkdir()
    inputs = "srv/scans/gone" if spoil == "code" else "srv/scans"
    limits = {"gate": ["--max-errors", "0"], "errors": []}.get(spoil, ["--max-errors", "2%"])
    run(inputs, "--out", predictions, *limits)
    if spoil == "old":
        account.write_text(re.sub('"ended": ".*?"', f'"ended": "{hours_ago(27)}"', account.read_text()))
    elif spoil == "predictions":
        predictions.write_text("other")
    elif spoil == "missing":
        account.unlink()
    elif spoil == "damaged":
        account.write_text("")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_preds.py", account, "26"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1 if said else 0, "", 1 if said else 0)
    assert said in done.stderr


def hours_ago(hours: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - hours * 3600))


@pytest.mark.usefixtures("served")
def test_the_line_of_the_log_is_one_of_a_real_run(run):
    done = run("srv/scans", "--out", "srv/out/preds.csv", "--log-format", "json")
    real, shown = json.loads(done.stderr.splitlines()[0]), json.loads(blocks("json")[0])
    assert list(shown) == list(real)
    assert shown["message"].partition(": ")[2] == real["message"].partition(": ")[2] == "empty (0 bytes)"
    assert (shown["level"], shown["code"]) == (real["level"], real["code"])
