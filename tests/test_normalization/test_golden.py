"""The golden pictures: what `normalize` made of 300 pictures of all kinds is what it makes of them today.

A result may differ by two gray levels if the model says the same digit: other versions of NumPy, OpenCV and Pillow,
and other CPUs, may round otherwise. With the pinned versions on the CPU that made them, results are the same to the
bit: a small difference there is reported (xfail), as it may be a change that needs a new NORMALIZATION_VERSION.

Renew them with `python scripts/golden_pictures.py --update`.
"""

import json
import re
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT, script

from batch_infer.contract import NORMALIZATION_VERSION

ROUNDING = 2  # gray levels
RENEW = "python scripts/golden_pictures.py --update"


@pytest.fixture(scope="module")
def golden():
    """The script that draws and renews them."""
    return script("golden_pictures")


@pytest.fixture(scope="module")
def cases(golden):
    return golden.cases()


@pytest.fixture
def manifest(golden):
    return json.loads((golden.GOLDEN / "manifest.json").read_text(encoding="utf-8"))


def changed(cases, classifier):
    """Those that differ by more than rounding, or of which the model says something else."""
    both = [case for case in cases if case.difference < 256 and case.seen.image is not None]
    before = classifier.predict(np.stack([case.expected.image for case in both]))
    after = classifier.predict(np.stack([case.seen.image for case in both]))
    others = {case.name for case, one, other in zip(both, before, after, strict=True) if one != other}
    return [case for case in cases if case.difference > ROUNDING or case.name in others]


def test_they_are_as_they_were(golden, cases, classifier, tmp_path):
    found = changed(cases, classifier)
    if found:
        golden.write_sheet(found, tmp_path / "changed.png")
    names = [case.name for case in found]  # the cases themselves would be pages of pixels in pytest's report
    assert not names, (
        f"{len(found)} of {len(cases)} changed; before and after: {tmp_path / 'changed.png'}. "
        f"If all is as it should be: increase NORMALIZATION_VERSION in batch_infer/contract.py, then {RENEW}"
    )


def test_with_the_pinned_versions_they_are_the_same_to_the_bit(golden, cases):
    text = (ROOT / "scripts" / "constraints.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))
    if any(version(name) != pinned[name] for name in golden.LIBRARIES):
        pytest.skip("other versions are installed than scripts/constraints.txt pins")
    rounded = [case.name for case in cases if 0 < case.difference <= ROUNDING]
    if rounded:
        pytest.xfail(f"{len(rounded)} differ by at most {ROUNDING} levels: another CPU, or a change ({rounded[:3]} …)")


def test_they_belong_to_this_version_of_the_normalization(manifest):
    assert manifest["normalization_version"] == NORMALIZATION_VERSION, f"the version is new: {RENEW}"


def test_nobody_edited_them(golden, manifest):
    assert manifest["sha256"] == golden.digest(), f"a picture was changed, added or removed by hand: {RENEW}"


def test_every_kind_has_some(golden, cases):
    assert {case.path.parent.name for case in cases} == {golden.slug(name) for name in golden.KINDS}
    assert 300 <= len(cases) <= 400
    assert sum(path.stat().st_size for path in golden.GOLDEN.glob("*/*")) < 2_000_000


@pytest.fixture
def some(golden, tmp_path, monkeypatch):
    """Three golden pictures of their own, with their expected results and a manifest."""
    monkeypatch.setattr(golden, "GOLDEN", tmp_path / "golden")
    folder = tmp_path / "golden" / "kind"
    folder.mkdir(parents=True)
    ink = np.zeros((60, 50), np.uint8)
    ink[10:50, 20:26] = 255
    for name, picture in {"1-0": ink, "1-1": 255 - ink, "none-2": np.full((60, 50), 200, np.uint8)}.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    golden.update(golden.cases())
    return folder


def call(golden, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["golden_pictures.py", *arguments])
    return golden.main()


def test_what_was_noted_is_found_again(golden, some, classifier):
    assert (some / "none-2.expected.txt").read_text() == "no_digit\n"
    found = golden.cases()
    assert [(case.name, case.difference) for case in found] == [("kind/1-0", 0), ("kind/1-1", 0), ("kind/none-2", 0)]
    assert not changed(found, classifier)


def test_a_change_is_seen_shown_and_needs_a_new_version(golden, some, classifier, monkeypatch, capsys):
    lighter = np.asarray(Image.open(some / "1-0.expected.png"))
    Image.fromarray(np.maximum(lighter, 3)).save(some / "1-0.expected.png")  # as if it had been made otherwise
    Image.fromarray(np.maximum(lighter, 2)).save(some / "1-1.expected.png")
    assert [case.name for case in changed(golden.cases(), classifier)] == ["kind/1-0"]  # 2 levels are rounding

    sheet = some.parent / "changed.png"
    assert call(golden, monkeypatch, "--update", "--sheet", str(sheet)) == 1
    shown = capsys.readouterr()
    assert "3 golden pictures, 0 new, 2 changed\n  kind/1-0: by up to 3 levels\n" in shown.out
    assert f"NORMALIZATION_VERSION {NORMALIZATION_VERSION}: increase it" in shown.err
    assert Image.open(sheet).size == (250 + 3 * 84, 2 * 84)

    monkeypatch.setattr(golden, "NORMALIZATION_VERSION", NORMALIZATION_VERSION + 1)
    assert call(golden, monkeypatch, "--update") == 0
    assert golden.made_by() == NORMALIZATION_VERSION + 1
    assert not any(case.difference for case in golden.cases())


def test_a_refusal_that_becomes_a_digit_is_a_change(golden, some, classifier, monkeypatch):
    (some / "1-0.expected.png").unlink()
    (some / "1-0.expected.txt").write_text("several_digits\n")
    (case,) = changed(golden.cases(), classifier)
    assert golden.describe(case) == "several_digits, now a digit"
    assert call(golden, monkeypatch, "--update", "--unreleased") == 0
    assert not (some / "1-0.expected.txt").exists()
    assert not golden.cases()[0].difference
