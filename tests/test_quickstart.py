"""The notebook runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import asyncio
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "quickstart.ipynb"


def text_of(cell: nbformat.NotebookNode) -> str:
    return "".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
    )


# The kernel's own libraries warn about each other.
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = NotebookClient(
            notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
        )
        client.create_kernel_manager()
        client.km.kernel_spec.argv[0] = sys.executable
        asyncio.run(client.async_execute())
    said = "\n".join(text_of(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "The viewers are simulated" in said
    assert "item_id      <- item_id" in said
    assert "learned from" in said
    assert "space operas" in said
    assert "0 after" in said


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert "simulated" in notebook.cells[0].source
