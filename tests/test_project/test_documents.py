"""The texts against the code: options, links, maps of modules, commands, and the transcripts of real runs."""

import csv
import json
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from support.helpers import MNIST, ROOT, clean_environment, save_png, script
from support.terminal import at_a_terminal

import batch_infer
import batch_infer.cli.main
import export.cli
import train.cli
from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes

FOLDERS = ("batch_infer", "train", "export", "scripts", "tests", ".ci")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))])
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    "batch-infer": (batch_infer.cli.main.app, "batch_infer/README.md"),
    "train": (train.cli.app, "train/README.md"),
    "export": (export.cli.app, "export/README.md"),
}

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def options(app: typer.Typer) -> set[str]:
    command = typer.main.get_command(app)
    commands = (command, *getattr(command, "commands", {}).values())
    names = {
        name for one in commands for parameter in one.params for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return {name.strip() for name in names if name.strip().startswith("-")} | {"--help"}


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = heading.index(" ")
    rest = re.split(rf"^{re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """Code spans; `|` is escaped in tables."""
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", without_blocks(text))]


def slug(heading: str) -> str:
    """The anchor that a code host gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_readme_is_a_page():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_of_options_has_every_option_and_no_other(command):
    app, document = COMMANDS[command]
    table = section((ROOT / document).read_text(encoding="utf-8"), "## Options")
    cells = re.findall(r"^\| (`-.*?) \| ", table, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"(?<![\w-])--?\w[\w-]*", cell)}
    named |= set(re.findall(r"`(-\w)`", table))  # short ones stand beside the long one that they go with
    assert named == options(app)


@every_document
def test_every_relative_link_leads_somewhere(document):
    text = without_blocks(document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", without_blocks(path.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in map(slug, headings), target


@every_document
def test_every_file_of_python_that_is_named_exists(document):
    present = {path.name for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
    for span in spans(document.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w./]+\.py", span):
            places = (document.parent / span, ROOT / span)
            assert any(place.is_file() for place in places) if "/" in span else span in present, span


def maps() -> dict[Path, list[str]]:
    """What the tables of modules name, by folder: a row is | `folder/` | `module.py` … | what they do |."""
    named = defaultdict(list)
    for document in DOCUMENTS:
        for folder, modules in re.findall(
            r"^\| (?:`([\w./]+/)`) \| ((?:`[\w.]+` ?)+)\|", document.read_text(encoding="utf-8"), re.MULTILINE
        ):
            named[(document.parent / folder).resolve()] += re.findall(r"`([\w.]+)`", modules)
    return named


def test_the_maps_name_every_module_once_and_none_that_is_not_there():
    packages = {path.parent for name in ("batch_infer", "train", "export") for path in (ROOT / name).rglob("*.py")}
    present = {
        folder: sorted(path.name for path in folder.glob("*.py") if not path.name.startswith("__"))
        for folder in packages
    }
    for folder in (ROOT / "scripts" / part for part in ("", "benchmarks", "evaluation", "fuzzing", "renditions")):
        present[folder] = sorted(
            path.name for path in folder.iterdir() if path.is_file() and path.suffix not in {".md", ".png"}
        )
    found = {folder: sorted(names) for folder, names in maps().items()}
    assert found == present


def commands_of(document: Path) -> list[str]:
    """Commands in a text: behind a `$` in a console block, and code spans that begin like one of ours."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    ours = r"(batch-infer|train run|python -m \w+|python scripts/\S+|scripts/(quickstart|test)|pip install)( .*)?"
    return [line.split("  #")[0].strip() for line in lines] + [
        span for span in spans(text) if re.fullmatch(ours, span) and "…" not in span and "[options]" not in span
    ]


def check_command(command: str) -> None:
    words = shlex.split(command)
    used = {word.partition("=")[0] for word in words if word.startswith("-")}
    if words[0] == "python" and words[1] == "-m":
        words, used = words[2:], used - {"-m"}
    program = words[0]
    if program in COMMANDS:
        assert used <= options(COMMANDS[program][0]), command
        assert program == "batch-infer" or words[1:2] == [{"train": "run", "export": "onnx"}[program]], command
    elif program in {"scripts/quickstart", "scripts/test"} or program == "python":
        source = ROOT / (words[1] if program == "python" else program)
        assert source.is_file(), command
        taken = set(re.findall(r"(?<![\w-])--[\w-]+", source.read_text(encoding="utf-8")))
        assert {name for name in used if name.startswith("--")} <= taken, command
    elif program == "pip":
        extras = re.search(r"\[(.*)\]", words[-1])
        defined = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for extra in extras[1].split(",") if extras else ():
            assert re.search(rf"^{extra} = \[", defined, re.MULTILINE), command
    else:
        assert program in {"head", "jq", "ls"}, command


@every_document
def test_every_command_names_what_there_is(document):
    for command in commands_of(document):
        check_command(command)


def test_wrong_commands_would_be_seen():
    for wrong in ("batch-infer x --outt y", "python scripts/none.py", "python -m export onx", "scripts/test --slow"):
        with pytest.raises(AssertionError):
            check_command(wrong)
    assert len([command for document in DOCUMENTS for command in commands_of(document)]) > 20


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_begins_with_three_examples(command):
    group = typer.main.get_command(COMMANDS[command][0])
    for one in (group, *getattr(group, "commands", {}).values()):
        _, examples = (one.help or "").split("\n\n")
        mark, *lines = examples.splitlines()
        assert (mark, len(lines)) == ("\b", 3)
        for line in lines:
            assert len(line) <= 78  # a help of 80 columns
            check_command(line.partition("  ")[0])


def transcript(first: str, document: str = "README.md") -> list[str]:
    """The lines of a document's console block that begins with a command, as far as the block goes."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (block,) = re.findall(rf"^```console\n(\$ {re.escape(first)}\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return block.splitlines()


@pytest.fixture
def strip(monkeypatch):
    """The script that draws README's strip and writes its pictures."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return script("readme_strip")


def test_the_example_of_readme_is_a_real_run(run, strip, tmp_path):
    lines = transcript("batch-infer ./images --out preds.csv")
    show = lines.index("$ head -n 6 preds.csv")
    strip.write_pictures(tmp_path / "images")
    done = run("./images", "--out", "preds.csv")
    assert (done.code, done.stdout) == (3, "")
    # The detail in parentheses is the decoder's own.
    assert [line.partition(" (")[0] for line in done.stderr.splitlines()] == [
        line.partition(" (")[0] for line in lines[1:show]
    ]
    real = (tmp_path / "preds.csv").read_text().splitlines()[:6]
    assert real[0] == lines[show + 1]
    for ours, shown in zip(csv.reader(real[1:]), csv.reader(lines[show + 2 :]), strict=True):
        assert ours[:4] + ours[5:] == shown[:4] + shown[5:]
        assert float(ours[4] or 0) == pytest.approx(float(shown[4] or 0), abs=0.01)  # other CPUs, other last digits
    assert [row[5] for row in csv.reader(lines[show + 2 :])].count("error") == 1


def test_the_example_of_json_lines_is_a_real_run(run, strip, tmp_path):
    lines = transcript("batch-infer ./images --out preds.jsonl", "batch_infer/README.md")
    strip.write_pictures(tmp_path / "images")
    done = run("./images", "--out", "preds.jsonl")
    messages = [line.partition(" (")[0] for line in done.stderr.splitlines()]
    assert (done.code, messages) == (3, [line.partition(" (")[0] for line in lines[1:3]])
    real = [json.loads(line) for line in (tmp_path / "preds.jsonl").read_text().splitlines()]
    shown = [json.loads(line) for line in lines if line.startswith("{")]
    assert lines[3] == f"$ head -n {len(shown)} preds.jsonl"
    for ours, example in zip(real, shown, strict=False):
        assert ours | {"confidence": pytest.approx(example["confidence"], abs=0.01)} == example  # other CPUs
    assert [row["path"] for row in real if row["status"] == "error"] == lines[-1:]


def test_the_example_of_pictures_in_folders_is_a_real_run(run, strip, tmp_path):
    command = "batch-infer ./images --out preds.csv --min-confidence 0.9 --sort-into sorted --quiet"
    lines = transcript(command, "batch_infer/README.md")
    strip.write_pictures(tmp_path / "images")
    done = run(*shlex.split(command)[1:])
    assert (done.code, done.stdout, done.stderr.splitlines()) == (3, "", lines[1:2])
    assert lines[2] == "$ ls sorted"
    assert lines[3].split() == sorted(path.name for path in (tmp_path / "sorted").iterdir() if path.name[0] != ".")


def test_the_example_of_drift_is_a_real_run(run, tmp_path):
    images = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz")).read_all()[:3000]
    cut_off = np.pad(images[2000:, :, 10:], ((0, 0), (0, 0), (0, 10)))
    for day, content in (("monday", images[:1000]), ("tuesday", images[1000:2000]), ("wednesday", cut_off)):
        (tmp_path / f"{day}.idx").write_bytes(idx_bytes(content))
    lines = transcript("batch-infer monday.idx --out preds.csv --max-drift 0.25", "batch_infer/README.md")
    real = []
    for line in lines:
        if line.startswith("$ batch-infer "):
            real += [line, *run(*shlex.split(line)[2:]).stderr.splitlines()]
        elif line.startswith("$ jq "):
            real += [line, json.loads((tmp_path / "preds.run.json").read_text())["drift"]["words"]]
    number = re.compile(r"\b0\.\d{3,}")  # by CPU
    assert [number.sub("PSI", line) for line in real] == [number.sub("PSI", line) for line in lines]
    psi = [[float(found) for line in one for found in number.findall(line)] for one in (real, lines)]
    assert psi[0] == pytest.approx(psi[1], abs=0.02)


def test_the_examples_of_a_terminal_are_real_runs(strip, tmp_path):
    strip.write_pictures(tmp_path / "images")
    variable = re.compile(r"\d\.\d+| *[▏▎▍▌▋▊▉█]+| \(JPEG: .*\)$", re.MULTILINE)  # by CPU, and the decoder's words
    for command in ("batch-infer images/church-book.jpg", "batch-infer ./images --out preds.csv"):
        text = section((ROOT / "batch_infer/README.md").read_text(encoding="utf-8"), "### At a terminal")
        (block,) = re.findall(rf"^```console\n\$ {re.escape(command)}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        quiet = " --progress never"
        _, shown = at_a_terminal(*shlex.split(command + quiet)[1:], cwd=tmp_path)
        assert variable.sub("", shown.replace(quiet, "")) == variable.sub("", block)


def test_the_strip_shows_what_the_model_says(strip):
    (shown,) = re.findall(r"!\[.*? answer\. (.*?)\]\(scripts/readme_strip\.png\)", README)
    answers = [(example.name, str(example.prediction)) for example in strip.examples()]
    assert re.findall(r"([^;]+?): (\d) \(\d+\.\d %\)", shown.replace("; ", ";")) == answers
    assert strip.STRIP.stat().st_size < 150_000


def test_the_transcript_of_training_is_that_of_the_bundled_model(classifier):
    text = "\n".join(transcript("train run"))
    trained, parity = classifier.metadata["train"], classifier.metadata["parity"]
    assert f"test accuracy {trained['test_accuracy']:.2%}" in text
    assert f"max |Δ| {parity['max_difference']:.1e} (atol 1e-05, rtol 1e-05) over {parity['images']:,} images" in text
    assert f"{BUNDLED_MODEL.stat().st_size:,} bytes" in text
    exported = [line for line in text.splitlines() if line.startswith("✓ logits") or line.endswith(" bytes")]
    assert "\n".join(exported) in (ROOT / "export" / "README.md").read_text(encoding="utf-8")


def test_every_figure_of_the_first_page_stands_where_it_was_measured():
    others = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS if path != ROOT / "README.md")
    why = section(README, "## Why this one")
    figures = re.findall(r"\d[\d,.]*(?: %| s\b|×)", why)
    assert len(figures) >= 5
    for figure in figures:
        number, unit = re.fullmatch(r"([\d,.]+)(.*)", figure).groups()
        measured = rf"(?<![\d.,]){re.escape(number)}0?\*{{0,2}} ?{unit.strip()}"
        assert re.search(measured, others), figure


def test_the_python_of_the_batch_job_runs(few, pngs, tmp_path, monkeypatch):
    pngs("a.png", folder="images")
    save_png(tmp_path / "fields" / "f.png", np.hstack(few.images[:5]))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```$",
        (ROOT / "batch_infer/README.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    for code in blocks:
        exec(compile(code, "README", "exec"), {"images": few.images, "picture": few.images[0]})
    assert (tmp_path / "preds.csv").exists()
    digits = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "digits").glob("f-*.png"))]
    np.testing.assert_array_equal(digits, few.images[:5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "recipes.py",
        "robustness.py",
        "benchmarks/benchmark.py",
        "readme_strip.py",
        "idx_to_png.py",
        "evaluate_normalization.py",
        "golden_pictures.py",
        "explain.py",
        "tune_normalization.py",
    ],
)
def test_scripts_say_how_they_are_called(name):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / name, "--help"],
        env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout
