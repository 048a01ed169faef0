"""The walk-through runs from top to bottom, and what it keeps is small and names no machine."""

import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from support.helpers import DEADLINE

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "scripts" / "walkthrough.ipynb"


@pytest.mark.long
@pytest.mark.slow
def test_walkthrough_runs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=DEADLINE, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "same logits: True" in text
    assert "10,000 rows, accuracy 9" in text
    for name in ("model.onnx", "learnt.onnx"):
        (right,) = re.findall(rf"^{name}: (\d+) of 400 right$", text, re.MULTILINE)
        assert int(right) >= 380


def test_kept_outputs_are_small_and_name_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert not re.findall(rf"/home/|/root/|/tmp/|/Users/|site-packages|{re.escape(str(ROOT))}", text)


def test_every_code_cell_was_run_in_order():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
