"""Model halves at rest: sealed, bound to their place, and given back to this node alone."""

from __future__ import annotations

import stat

import numpy as np
import pytest
from sqlalchemy import select, update

from models.model_file import ModelFile, encode
from party_node.errors import NodeError
from party_node.model_store import (
    FILE_VERSION,
    export_half,
    find,
    half_digest,
    import_half,
    load_half,
    save_half,
)
from party_node.node import Node
from party_node.store import model_halves, transaction
from protocols.errors import LocalProtocolError

JOB = "credit-need-1"
MARK = b"monthly card turnover"


def half(number=0):
    return encode(
        ModelFile(
            "boosted_trees",
            "passive_party",
            {"columns": [{"name": MARK.decode(), "kind": "numeric"}]},
            {"weights": np.array([0.5, number])},
        )
    )


@pytest.fixture
def node(tmp_path):
    made = Node.create(tmp_path / "retailer", "retailer", "gm", simulated=True)
    yield made
    made.close()


def save(node, data, job=JOB, repeat=0):
    with transaction(node.engine) as connection:
        save_half(connection, node, job, repeat, data)


def test_what_is_stored_comes_back(node):
    save(node, half())
    save(node, half(1), repeat=1)
    assert load_half(node, JOB, 0) == half()
    assert load_half(node, JOB, 1) == half(1)
    found = find(node, JOB)
    assert (found.kind, found.role) == ("boosted_trees", "passive_party")
    assert found.digest == half_digest(node.keys.suite, half())
    assert found.digest == node.keys.suite.hash(half()).hex()
    assert found.facts["columns"] == [{"name": MARK.decode(), "kind": "numeric"}]
    assert find(node, JOB, 1).digest != found.digest


def test_a_half_of_the_same_place_is_replaced(node):
    save(node, half())
    save(node, half(1))
    assert load_half(node, JOB, 0) == half(1)


def test_the_half_is_undone_with_the_transaction_it_belongs_to(node):
    with pytest.raises(RuntimeError), transaction(node.engine) as connection:  # noqa: PT012
        save_half(connection, node, JOB, 0, half())
        raise RuntimeError
    with pytest.raises(NodeError):
        load_half(node, JOB, 0)


def test_nothing_of_a_half_lies_in_the_clear(node, tmp_path):
    save(node, half())
    export_half(node, JOB, tmp_path / "half.bin")
    node.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        assert MARK not in path.read_bytes()


def test_bytes_that_are_no_half_are_not_stored(node):
    with pytest.raises(LocalProtocolError, match="not a model half"):
        save(node, b"half")


def test_a_half_that_is_not_there_is_named(node):
    with pytest.raises(NodeError, match=f"retailer has no half of the model that job {JOB}") as no:
        find(node, JOB)
    assert "import" in no.value.hint
    save(node, half())
    with pytest.raises(NodeError, match="on split 2"):
        load_half(node, JOB, 1)


def test_a_sealed_half_opens_in_its_own_place_only(node):
    save(node, half())
    save(node, half(1), job="other")
    with transaction(node.engine) as connection:
        sealed = connection.execute(
            select(model_halves.c.sealed).filter_by(job_id=JOB)
        ).scalar_one()
        connection.execute(update(model_halves).filter_by(job_id="other").values(sealed=sealed))
    with pytest.raises(NodeError, match="job other trained cannot be opened"):
        load_half(node, "other", 0)


def test_a_half_of_another_release_is_not_called_damaged(node, monkeypatch):
    monkeypatch.setattr("models.model_file.FORMAT_VERSION", 2)
    save(node, half())
    monkeypatch.undo()
    with pytest.raises(NodeError, match="format version 2; known is 1"):
        find(node, JOB)


def test_an_exported_half_is_taken_back(node, tmp_path):
    path = tmp_path / "half.bin"
    save(node, half(), repeat=2)
    exported = export_half(node, JOB, path, repeat=2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert import_half(node, path) == exported
    with transaction(node.engine) as connection:
        connection.execute(model_halves.delete())
    assert import_half(node, path) == exported
    assert load_half(node, JOB, 2) == half()


def test_an_export_overwrites_nothing(node, tmp_path):
    save(node, half())
    path = tmp_path / "half.bin"
    path.write_text("mine")
    with pytest.raises(NodeError, match="exists already"):
        export_half(node, JOB, path)
    assert path.read_text() == "mine"
    with pytest.raises(NodeError, match="cannot write"):
        export_half(node, JOB, tmp_path / "no folder" / "half.bin")


def test_an_import_replaces_no_other_half(node, tmp_path):
    save(node, half())
    export_half(node, JOB, tmp_path / "half.bin")
    save(node, half(1))
    with pytest.raises(NodeError, match="another half") as refused:
        import_half(node, tmp_path / "half.bin")
    assert half_digest(node.keys.suite, half())[:16] in refused.value.hint
    assert load_half(node, JOB, 0) == half(1)


def test_a_changed_file_is_refused(node, tmp_path):
    save(node, half())
    path = tmp_path / "half.bin"
    export_half(node, JOB, path)
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(NodeError, match=r"exported|does not open|format version"):
            import_half(node, path)
    for length in (0, 5, 20, 40, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(NodeError, match=r"not an exported|does not open"):
            import_half(node, path)
    with pytest.raises(NodeError, match="cannot read"):
        import_half(node, tmp_path / "missing.bin")


def test_the_file_of_another_node_or_version_is_named(node, tmp_path, monkeypatch):
    save(node, half())
    path = tmp_path / "half.bin"
    export_half(node, JOB, path)
    bank = Node.create(tmp_path / "bank", "bank", "gm", simulated=True)
    with pytest.raises(NodeError, match="another node") as refused:
        import_half(bank, path)
    assert "bank" in refused.value.hint
    bank.close()
    twin = Node.create(tmp_path / "twin", "retailer", "gm", simulated=True)
    with pytest.raises(NodeError, match="does not open with this node's key"):
        import_half(twin, path)
    twin.close()
    monkeypatch.setattr("party_node.model_store.FILE_VERSION", FILE_VERSION + 1)
    with pytest.raises(NodeError, match=f"it knows {FILE_VERSION + 1}"):
        import_half(node, path)
