"""Decode every file of a folder and print its name; what decoders print is not redirected.

In a process of its own, because pytest would catch warnings and log messages before they are shown.
"""

import contextlib
import sys
from pathlib import Path

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError

if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).iterdir()):
        with contextlib.suppress(ImageError):
            decode(path.read_bytes())
        print(path.name)
