"""Libraries that make things faster are not needed: without them the same bytes come out."""

import gzip
import zlib

from support.helpers import png_chunk, save_png

from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job.run import run_job


def without_its_last_row(png):
    """A PNG whose compressed pixels end a row early, but cleanly."""
    place = png.index(b"IDAT")
    size = int.from_bytes(png[place - 4 : place], "big")
    pixels = zlib.compress(zlib.decompress(png[place + 4 : place + 4 + size])[:-29])
    return png[: place - 4] + png_chunk(b"IDAT", pixels) + png[place + 8 + size :]


def test_without_pyspng_and_isal_the_predictions_are_the_same(tmp_path, mnist, program):
    for number, image in enumerate(mnist.images[:200]):
        save_png(tmp_path / "in" / f"{number}.png", image if number % 2 else 255 - image)
    (tmp_path / "in" / "cut.png").write_bytes((tmp_path / "in" / "7.png").read_bytes()[:-90])
    whole = (tmp_path / "in" / "7.png").read_bytes()
    (tmp_path / "in" / "short.png").write_bytes(without_its_last_row(whole))
    (tmp_path / "digits.gz").write_bytes(gzip.compress(idx_bytes(mnist.images[:3000])))
    inputs = [str(tmp_path / "in"), str(tmp_path / "digits.gz")]
    code = run_job(inputs, out=tmp_path / "with.csv", labels="none").exit_code
    done = program("limits.without_accelerators", tmp_path / "without.csv", *inputs)
    assert (done.stdout, code) == ("3\n", 3), done.stderr
    assert b'short.png",,,,,"error","truncated"' in (tmp_path / "with.csv").read_bytes()
    assert (tmp_path / "without.csv").read_bytes() == (tmp_path / "with.csv").read_bytes()
