"""All tests can be collected where Python lacks what Linux alone has."""

import subprocess
import sys

import pytest
from support.helpers import DEADLINE, ROOT, support_environment

pytestmark = pytest.mark.slow  # loads every library twice

LINUX_AT_IMPORT = {
    "test_cores.py": "import os\nCORES = os.sched_getaffinity(0)\n",
    "test_memory.py": "from pathlib import Path\nSTATUS = Path('/proc/self/status').read_text()\n",
    "test_library.py": "import ctypes\nPRCTL = ctypes.CDLL(None).prctl\n",
    "test_platform.py": "import sys\nassert sys.platform == 'linux'\n",
    "test_any.py": "def test_nothing():\n    pass\n",
}


def collect(*arguments, cwd, home) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "support.macos", "--collect-only", "-q", *arguments],
        env=support_environment(HOME=str(home)), cwd=cwd, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip


def test_all_tests_can_be_collected_on_macos(tmp_path):
    done = collect("-p", "no:cacheprovider", cwd=ROOT, home=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " tests collected in " in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the four files are fit for Linux alone")
def test_what_linux_alone_has_would_be_noticed(tmp_path):
    for name, content in LINUX_AT_IMPORT.items():
        (tmp_path / name).write_text(content)
    done = collect(
        "--continue-on-collection-errors", "-c", "/dev/null", "--rootdir", tmp_path, ".", cwd=tmp_path, home=tmp_path
    )
    assert sorted(line.split()[1] for line in done.stdout.splitlines() if line.startswith("ERROR ")) == [
        "test_cores.py", "test_library.py", "test_memory.py", "test_platform.py",
    ]  # fmt: skip
    assert "1 test collected, 4 errors" in done.stdout
