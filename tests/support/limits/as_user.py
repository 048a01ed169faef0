"""Run batch-infer as another user.

    python -m support.limits.as_user UID GROUPS UMASK INPUT argument…

INPUT is classified once before the change, so that all modules are loaded: the other user may not be allowed to read
the interpreter's files.
"""

import importlib
import os
import sys
import tempfile

from batch_infer.cli.main import app, main

if __name__ == "__main__":
    user, groups, mask, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        importlib.import_module("batch_infer.job.sorting.sort_into")  # which only --sort-into loads
        app([arguments[0], "--out", f"{folder}/p.csv"], standalone_mode=False)
    os.umask(int(mask, 8))
    numbers = [int(number) for number in groups.split(",")]
    os.setgroups(numbers)
    os.setgid(numbers[0])
    os.setuid(int(user))
    sys.argv[1:] = arguments
    main()
