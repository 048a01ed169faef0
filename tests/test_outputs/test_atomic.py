"""Files that appear whole or not at all: the mode that they have."""

import os

from batch_infer import run_job


def test_the_mode_of_a_new_file_is_that_of_the_umask(shared_files, tmp_path):
    mask = os.umask(0o027)
    try:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    finally:
        os.umask(mask)
    assert (tmp_path / "p.csv").stat().st_mode & 0o777 == 0o640


def test_the_mode_of_a_replaced_file_stays(shared_files, tmp_path):
    (tmp_path / "p.csv").touch()
    (tmp_path / "p.csv").chmod(0o604)
    run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    assert (tmp_path / "p.csv").stat().st_mode & 0o777 == 0o604
