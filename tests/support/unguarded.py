"""A script as users write them: it calls run_job at the top level, without a main guard.

    python tests/support/unguarded.py INPUT OUT [WAY [PATH…]]

WAY is what its process is like. The PATHs are inserted into sys.path, to find the package.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time

print("the main module runs", flush=True)
source, out, way, *paths = [*sys.argv[1:], "plain"] if len(sys.argv) == 3 else sys.argv[1:]
sys.path[:0] = paths
if way == "torch":
    importlib.import_module("torch")

from batch_infer import OnnxClassifier, run_job  # noqa: E402 - now it can be found

OnnxClassifier()  # loads ONNX Runtime


def fork() -> None:
    """Start a process that inherits everything, and does nothing for a while."""
    if not os.fork():
        time.sleep(20)
        os._exit(0)


def reap(*_: object) -> None:
    """Take the exit code of any child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if way == "embedded":
    sys.executable = "/opt/studio/bin/studio"
if way == "macos":
    sys.platform = "darwin"
if way == "ignores children":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if way == "reaps all children":
    signal.signal(signal.SIGCHLD, reap)
if way == "another locale":
    os.environ["LC_ALL"] = "C"
if way == "forks":
    threading.Timer(0.3, fork).start()
if way == "no standard streams":
    for descriptor in range(3):
        os.close(descriptor)


def job(name: str = out) -> int:
    """Classify everything."""
    return run_job([source], out=name, workers=2).exit_code


if way == "thread":
    threads = [threading.Thread(target=job, args=(out.replace("p", name),)) for name in ("q", "r", "s")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
code = job()
if way != "no standard streams":
    print("exit code", code)
