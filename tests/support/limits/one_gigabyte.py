"""Read an IDX file with one gigabyte of memory.

    python -m support.limits.one_gigabyte chunks|all PATH

Whether the header inside a gzip file is true shows only after decompression: its claim must cost no memory before.
"""

import resource
import sys

from batch_infer.errors import DamagedIdxError
from batch_infer.inputs.chunks import IdxChunk, chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.inventory import IdxInput

GIGABYTE = 1 << 30


def main() -> None:
    """Print the message about the damage, found chunk by chunk or when everything is read."""
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))
    scan = discover(sys.argv[2:])
    if sys.argv[1] == "chunks":
        print([chunk.damage for chunk in chunks(scan) if isinstance(chunk, IdxChunk)])
        return
    (entry,) = scan.entries
    if not isinstance(entry, IdxInput) or entry.images is None:
        raise TypeError(f"{entry}: no IDX file")
    try:
        entry.images.read_all()
    except DamagedIdxError as error:
        print(error)


if __name__ == "__main__":
    main()
