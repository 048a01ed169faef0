"""A script as users write them: it calls run_job at the top level, without a main guard.

    python tests/support/unguarded.py INPUT OUT [WAY [PATH…]]

WAY is what its process is like. The PATHs are inserted into sys.path, to find the package.
"""

import importlib
import sys
import threading

print("the main module runs")
source, out, way, *paths = [*sys.argv[1:], "plain"] if len(sys.argv) == 3 else sys.argv[1:]
sys.path[:0] = paths
if way == "torch":
    importlib.import_module("torch")

from batch_infer import OnnxClassifier, run_job  # noqa: E402 - now it can be found

OnnxClassifier()  # loads ONNX Runtime
if way == "embedded":
    sys.executable = "/opt/studio/bin/studio"
if way == "macos":
    sys.platform = "darwin"


def job() -> None:
    """Classify everything."""
    print("exit code", run_job([source], out=out, workers=2).exit_code)


if way == "thread":
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
else:
    job()
