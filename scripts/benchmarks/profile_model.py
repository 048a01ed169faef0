"""Profile a model by operator with ONNX Runtime.

    python scripts/benchmarks/profile_model.py [FILE …]    (default: the bundled model)

One thread, test images in batches of 256; for each operator the minimum of 50 runs, summed over its nodes.
"""

import json
import os
import sys
import tempfile
from collections import defaultdict

from benchmark_data import MNIST

from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.contract import MODEL_BATCH
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.runtime import import_onnxruntime

RUNS = 50
SHOWN = 12


def main() -> None:
    images = IdxImages(str(MNIST / "t10k-images-idx3-ubyte.gz")).read_all()[:MODEL_BATCH]
    for path in sys.argv[1:] or [str(BUNDLED_MODEL)]:
        kinds = profile(path, images)
        print(f"\n{path}: {sum(kinds.values()):.1f} µs/image\n\n| operator | µs/image |\n|---|---:|")
        for kind, microseconds in sorted(kinds.items(), key=lambda item: -item[1])[:SHOWN]:
            print(f"| {kind} | {microseconds:.2f} |")


def profile(path: str, images) -> dict[str, float]:  # noqa: ANN001
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = os.path.join(folder, "profile")
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for _ in range(RUNS):
            session.run(["probabilities"], {"images": images})
        with open(session.end_profiling(), encoding="utf-8") as file:
            events = json.load(file)
    least: dict[tuple[str, str], float] = defaultdict(lambda: float("inf"))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            key = event["args"]["op_name"], event["name"]
            least[key] = min(least[key], event["dur"])
    kinds: dict[str, float] = defaultdict(float)
    for (kind, _), duration in least.items():
        kinds[kind] += duration / len(images)
    return kinds


if __name__ == "__main__":
    main()
