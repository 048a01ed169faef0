"""Notices: said once, kept in run.json, and no reason for a second mail in the same words."""

import json
import logging

import pytest

from batch_infer.job.notices import Notices


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.INFO, "batch_infer")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_new_notice_is_a_warning_and_a_known_one_is_information(tmp_path, logged):
    (tmp_path / "run.json").write_text(json.dumps({"notices": ["known"]}))
    notices = Notices(str(tmp_path / "run.json"))
    for text in ("known", "new", "known"):
        notices.add(text)
    assert notices.texts == ["known", "new"]
    assert logged() == [("INFO", "known"), ("WARNING", "new")]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b'{"notices": 5}',
        b'{"notices": [1, null, {}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"notices": "a"}',
    ],
)
def test_a_missing_or_damaged_account_knows_nothing(tmp_path, logged, content):
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    Notices(str(tmp_path / "run.json")).add("new")
    assert logged() == [("WARNING", "new")]


def test_without_an_account_every_notice_is_new(logged):
    Notices(None).add("new")
    assert logged() == [("WARNING", "new")]


def test_cron_mail_comes_once_and_run_json_has_the_notice_every_night(run, pngs, tmp_path):
    folder = pngs("a.png")
    assert run(folder, "--out", "p.csv", "--incremental").stderr == ""
    seen = []
    for _ in range(3):
        (tmp_path / "p.state").write_bytes(b"SQLite format 3\0 cut off")
        done = run(folder, "--out", "p.csv", "--incremental")
        notice = json.loads((tmp_path / "p.run.json").read_text())["notices"]
        assert (done.code, notice) == (0, ["p.state: the state is damaged; everything is classified again"])
        seen.append(done.stderr)
    assert seen == [f"batch-infer: {notice[0]}\n", "", ""]
    (tmp_path / "p.state").write_bytes(b"SQLite format 3\0 cut off")
    assert notice[0] in run(folder, "--out", "p.csv", "--incremental", "--verbose").stderr
    run(folder, "--out", "p.csv", "--incremental")
    assert json.loads((tmp_path / "p.run.json").read_text())["notices"] == []
