"""Benchmark the commands against their peers, as whole processes, and print Markdown tables.

    python scripts/benchmarks/benchmark.py [--quick] [--only folder lean crops idx model …] [--work FOLDER]

Needs the extras `train` and `bench`. The full run takes about half an hour and 10 GB of disk in FOLDER (which keeps
the inputs for the next time); --quick takes a few minutes and 1 GB. Times are medians of interleaved runs, so that
changes in load affect all alike; nothing else should run meanwhile. All must give the same predictions.

Our command runs with `--no-report` where it is compared with peers, which write no reports either; a row of its own
tells what the reports cost.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import benchmark_data as data
from harness import Bench, command, environment, python
from peers import CONVOLUTIONAL, MATRIX

_PLAIN = ("--labels", "none", "--no-report")
SECTIONS: dict[str, Callable[[Bench], None]] = {}


def section(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    SECTIONS[function.__name__] = function
    return function


@section
def folder(bench: Bench) -> None:
    """Folders of 28×28 PNGs."""
    weights = bench.models()
    large, small = (7_000, 1_000) if bench.quick else (70_000, 10_000)
    seconds = {}
    for count, recipe in ((small, "strokes"), (large, "strokes"), (large, "pixels")):
        images = data.png_folder(bench.work, count)
        ours = command("batch-infer", images, *_PLAIN, "--model", weights[recipe].onnx, "--out", "{out}")
        torch = [
            bench.peer("torchvision", images, weights[recipe].pth, "--recipe", recipe, "--workers", workers)
            for workers in (0, 1, 2)
        ]
        loop = bench.peer("loop", images, weights[recipe].onnx)
        names = ["ours", *(f"torchvision, {workers} workers" for workers in (0, 1, 2)), "onnxruntime + Pillow + pandas"]
        times = bench.compare(dict(zip(names, [ours, *torch, loop], strict=True)))
        best = min(names[1:4], key=lambda name: times[name])
        seconds[count, recipe] = times["ours"]
        work = f"{count:,} PNGs, `{recipe}`"
        goals = {(small, "strokes"): ("4", "2"), (large, "strokes"): ("6", "2.5"), (large, "pixels"): ("8", "")}
        for peer, goal in zip((best, names[-1]), goals[count, recipe], strict=True):
            bench.ratio(work, times["ours"], peer, times[peer], f"≥ {goal}×" if goal else "")
    marginal = (seconds[large, "strokes"] - seconds[small, "strokes"]) / (large - small) * 1e6
    bench.row("one more PNG, `strokes`", f"{marginal:.1f} µs", goal="≤ 25 µs, aim 17")
    files = data.many_files(bench.work, large)
    bench.row("reading those files and nothing else, one process", f"{bench.read_only(files):.1f} µs a file")


@section
def lean(bench: Bench) -> None:
    """Folders of 28×28 PNGs, `--no-report`, beside torchvision's loop with other models than ours behind it."""
    weights = bench.models()
    images = data.png_folder(bench.work, 7_000 if bench.quick else 70_000)
    ours = ("batch-infer", images, *_PLAIN, "--out", "{out}")
    lines = {"default": command(*ours), "strokes": command(*ours, "--model", weights["strokes"].onnx)}
    lines["reports"] = command("batch-infer", images, "--labels", "none", "--out", "{out}")
    models = {MATRIX: "`Linear(784, 10)`", CONVOLUTIONAL: "a convolutional net"}
    for workers in (0, 1, 2):
        for model in models:
            options = ("--recipe", model, "--workers", workers)
            lines[f"{model}, {workers} workers"] = bench.peer("torchvision", images, weights["pixels"].pth, *options)
    times = bench.compare(lines, check=False)
    goals = {("default", MATRIX): "≥ 5×", ("strokes", MATRIX): "≥ 6×, aim 6.5"}
    for name, shown in (("default", "the default model"), ("strokes", "`strokes`")):
        for model, peer in models.items():
            best = min((line for line in times if line.startswith(model)), key=lambda line: times[line])
            shown_peer = f"torchvision with {peer}, {best.partition(', ')[2]}"
            work = f"{sum(1 for _ in images.glob('*/*')):,} PNGs, {shown}"
            bench.ratio(work, times[name], shown_peer, times[best], goals.get((name, model), ""))
    bench.row("the reports of these, pictures included", f"{times['reports'] - times['default']:.2f} s more")


@section
def crops(bench: Bench) -> None:
    """Folders of pictures that are not in MNIST's format; the peer resizes them, and does not answer alike."""
    weights = bench.models()["strokes"]
    for kind, count, goal in (("crops", 10_000, "≥ 2.5×, aim 4"), ("photos", 2_000, "≥ 1.5×")):
        images = data.picture_folder(bench.work, kind, count // 10 if bench.quick else count)
        lines = {"ours": command("batch-infer", images, *_PLAIN, "--model", weights.onnx, "--out", "{out}")}
        for workers in (0, 1, 2):
            options = ("--recipe", "strokes", "--resize", "--workers", workers)
            lines[f"torchvision, {workers} workers"] = bench.peer("torchvision", images, weights.pth, *options)
        times = bench.compare(lines, check=False)
        best = min(list(times)[1:], key=lambda name: times[name])
        work = f"{sum(1 for _ in images.glob('*/*')):,} {data.PICTURES[kind].shown}, `strokes`"
        bench.ratio(work, times["ours"], best, times[best], goal)


@section
def idx(bench: Bench) -> None:
    """IDX files in the page cache."""
    weights = bench.models()
    large = 1_000_000 if bench.quick else 10_000_000
    images = data.idx_file(bench.work, large)
    for options, goals in (([], ("≥ 3×", "")), (["--probabilities"], ("≥ 6×", ""))):
        ours = command("batch-infer", images, *_PLAIN, "--model", weights["pixels"].onnx, "--out", "{out}", *options)
        peers = {
            "numpy + pandas": bench.peer("numpy", images, weights["pixels"].npz, *options),
            "scikit-learn + pandas": bench.peer("sklearn", images, weights["pixels"].npz, *options),
        }
        if options:  # ten columns by pandas take minutes
            del peers["scikit-learn + pandas"]
        times = bench.compare({"ours": ours, **peers}, rounds=1 if options else None)
        work = f"IDX, {large:,} images, `pixels`" + (", `--probabilities`" if options else "")
        rate = large / times["ours"]
        bench.row(work, f"{rate:,.0f} images/s", goal="" if options else "≥ 1,000,000 images/s")
        for peer, goal in zip(peers, goals, strict=False):
            bench.ratio(work, times["ours"], peer, times[peer], goal)
    tenth = large // 10
    for name, images in (
        ("", data.idx_file(bench.work, tenth)),
        (".gz", data.idx_file(bench.work, tenth, zipped=True)),
    ):
        goals = {"the default model": "≥ 75,000 images/s", "`strokes`": "≥ 90,000 images/s", "`pixels`": ""}
        for shown, goal in goals.items():
            model = ["--model", weights[shown.strip("`")].onnx] if shown.startswith("`") else []
            ours = command("batch-infer", images, *_PLAIN, *model, "--out", "{out}")
            rate = tenth / bench.compare({"ours": ours})["ours"]
            bench.row(f"IDX{name}, {tenth:,} images, {shown}", f"{rate:,.0f} images/s", goal=goal)


@section
def model(bench: Bench) -> None:
    """The model alone, one thread, test images in memory, batches of 256."""
    from model_timing import time_models

    times = time_models(bench.models(), repeats=5 if bench.quick else 25)
    for recipe, goal in (("pixels", "≤ 0.7 µs"), ("strokes", "≤ 15 µs, aim 10")):
        bench.row(f"`{recipe}`, one image", f"{times[recipe]:.2f} µs", goal=goal)
    bench.ratio("`strokes`", times["strokes"], "plain export (GridSample, Conv)", times["plain"], "≥ 3×", unit="µs")
    bench.ratio("`strokes`", times["strokes"], "the same in torch eager", times["plain eager"], "≥ 2.5×", unit="µs")
    bench.ratio("`strokes`", times["strokes"], "our own model in torch eager", times["eager"], unit="µs")


@section
def pictures(bench: Bench) -> None:
    """One picture that is not in MNIST's format, before the model, one core."""
    from image_timing import time_pictures

    larger = {
        "40 to 72 px, color, noisy paper": "",
        "100 px, black on white": "normalize ≤ 0.35 ms",
        "150 px, black on white": "normalize ≤ 0.35 ms",
        "200 px, ruled paper": "normalize ≤ 1 ms",
        "200 px, box of a form": "normalize ≤ 1 ms",
        "200 px, hard shadow": "normalize ≤ 1 ms",
        "280 px, black on white": "normalize ≤ 0.5 ms",
        "280 px, drawn with a mouse": "normalize ≤ 0.5 ms",
        "1 megapixel, PNG": "normalize ≤ 4 ms",
        "12 megapixels, JPEG": "both ≤ 30 ms",
    }
    times = time_pictures(*((20, 5) if bench.quick else (100, 15)))
    for name, (decoding, normalizing, resizing) in times.items():
        bench.row(
            name,
            f"{decoding:.2f} + {normalizing:.2f} ms",
            f"Pillow, open and resize to 28×28: {resizing:.2f} ms",
            larger.get(name, "normalize ≤ 0.2 ms, aim 0.1"),
            f"{resizing / (decoding + normalizing):.1f}×",
        )


@section
def start(bench: Bench) -> None:
    """Start-up: whole commands with next to no work."""
    images = data.png_folder(bench.work, 100)
    times = bench.compare(
        {
            "import onnxruntime": python("-c", "import onnxruntime"),
            "import typer": python("-c", "import typer"),
            "plain": command("batch-infer", images, *_PLAIN, "--out", "{out}"),
            "labelled": command("batch-infer", images, "--out", "{out}"),
            "help": command("batch-infer", "--help"),
        },
        rounds=5 if bench.quick else 15,
        check=False,
    )
    for work, name, base, goal in (
        ("100 PNGs, no labels, no reports", "plain", "import onnxruntime", "≤ 3 times, aim 2.5"),
        ("100 PNGs with labels and reports", "labelled", "import onnxruntime", "≤ 5.5 times"),
        ("`batch-infer --help`", "help", "import typer", "≤ 3.5 times"),
    ):
        found = f"{times[name]:.2f} s, {times[name] / times[base]:.1f} times"
        bench.row(work, found, f"`{base}`: {times[base]:.2f} s", goal)


@section
def memory(bench: Bench) -> None:
    """Peak memory of the largest process, and its growth."""
    weights = bench.models()
    sizes = (100_000, 1_000_000) if bench.quick else (1_000_000, 10_000_000)
    lines = {}
    for size in sizes:
        images = data.idx_file(bench.work, size)
        lines[str(size)] = command("batch-infer", images, "--model", weights["pixels"].onnx, "--out", "{out}")
        megabytes = bench.run(lines[str(size)], watch=True).megabytes
        bench.row(f"IDX, {size:,} images, `pixels`", f"{megabytes:.0f} MB", goal="≤ 250 MB, flat")
    lines["idle"] = command("batch-infer", data.png_folder(bench.work, 100), "--labels", "none", "--out", "{out}")
    times = bench.compare(lines, check=False)
    few, many = (times[str(size)] - times["idle"] for size in sizes)
    bench.row("ten times the images: the time beyond start-up", f"{many / few:.1f} times", goal="≤ 10.5 times")
    files = data.many_files(bench.work, 70_000 if bench.quick else 1_000_000)
    run = bench.run(command("batch-infer", files, "--labels", "none", "--out", "{out}"), watch=True)
    count = sum(1 for _ in files.iterdir())
    bench.row(f"{count:,} files in one folder", f"{run.megabytes:.0f} MB, {run.seconds:.0f} s", goal="≤ 300 MB")


@section
def training(bench: Bench) -> None:
    """Training the pixel model."""
    epoch = statistics.median(epoch["seconds"] for epoch in bench.train_ours())
    theirs = min(bench.numbers("train_dataloader", data.mnist_for_torchvision(bench.work), "--epochs", 1 + bench.full))
    bench.ratio("`train run --recipe pixels`, one epoch", epoch, "DataLoader + ToTensor", theirs, "≥ 12×")
    ours = 0.0
    for step in bench.train_ours("--optimizer", "lbfgs"):
        ours += step["seconds"]
        if step["validation_accuracy"] >= 0.92:
            break
    else:
        raise SystemExit("lbfgs stays below 92 % on the validation split")
    (sklearn,) = bench.numbers("train_sklearn", ".")
    work = "`train run --recipe pixels --optimizer lbfgs`, fitting to 92 % on the validation split"
    bench.ratio(work, ours, "scikit-learn's lbfgs", sklearn, "> 1×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work and fewer rounds: a quick check")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--work", type=Path, help="folder for images and models (default: a temporary one)")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="benchmark-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        print(environment())
        for name in options.only:
            bench = Bench(work, quick=options.quick)
            SECTIONS[name](bench)
            print(f"\n### {SECTIONS[name].__doc__}\n\n{bench.table()}", flush=True)
    finally:
        if options.work is None:
            shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
