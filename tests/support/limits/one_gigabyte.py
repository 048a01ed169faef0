"""Look at an IDX file with one gigabyte of memory.

    python -m support.limits.one_gigabyte PATH

Whether the header inside a gzip file is true shows only after decompression: its claim must cost no memory before.
"""

import resource
import sys

from batch_infer.inputs.chunks import FileChunk, chunks
from batch_infer.inputs.discover import discover

GIGABYTE = 1 << 30


def main() -> None:
    """Print the errors of the rows that the file gives."""
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
    print([chunk.errors for chunk in chunks(discover(sys.argv[1:])) if isinstance(chunk, FileChunk)])


if __name__ == "__main__":
    main()
