import dataclasses

import numpy as np
import pytest

from tfrs_mm.data.item_neighbours import ItemNeighbours, NeighbourTables
from tfrs_mm.errors import UserError


def table(neighbours: list, weights: list, support: list) -> ItemNeighbours:
    return ItemNeighbours(
        np.array(neighbours, np.int32), np.array(weights, np.float32), np.array(support, np.float32)
    )


# Item 1 leads to 3 and, tied, to 2; item 2 to nothing; item 3 to 1, and to more that was cut off.
NEXT = table([[0, 0], [2, 3], [0, 0], [1, 0]], [[0, 0], [2, 2], [0, 0], [0.5, 0]], [0, 4, 0, 1.5])
COVISITED = table([[0], [3], [0], [1]], [[0], [1], [0], [1]], [0, 1, 0, 1])
TABLES = NeighbourTables(COVISITED, NEXT, {"items": "abc", "half_life": 0.1})


def changed(name: str, at: tuple, value: float) -> ItemNeighbours:
    column = getattr(NEXT, name).copy()
    column[at] = value
    return dataclasses.replace(NEXT, **{name: column})


def expect_equal(found: NeighbourTables, wanted: NeighbourTables) -> None:
    for kind in ("covisited", "next"):
        for name in ("neighbours", "weights", "support"):
            one, other = (getattr(getattr(tables, kind), name) for tables in (found, wanted))
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    assert found.made_from == wanted.made_from


def test_tables_survive_the_disk(tmp_path):
    path = tmp_path / "item_neighbours.npz"
    TABLES.write(path)
    assert [file.name for file in tmp_path.iterdir()] == ["item_neighbours.npz"]
    read = NeighbourTables.read(path, {"items": "abc"})
    expect_equal(read, TABLES)
    assert read.fingerprint == TABLES.fingerprint
    assert read.next.num_items == 3
    first = path.read_bytes()
    TABLES.write(path)
    assert path.read_bytes() == first


def test_the_fingerprint_is_that_of_what_they_were_made_from():
    others = [{"items": "abc", "half_life": 0.2}, {"items": "abd", "half_life": 0.1}]
    prints = {dataclasses.replace(TABLES, made_from=other).fingerprint for other in others}
    assert len(prints | {TABLES.fingerprint}) == 3
    assert dataclasses.replace(TABLES, covisited=NEXT).fingerprint == TABLES.fingerprint


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "item_neighbours.npz"
    path.write_bytes(b"old")

    def fail(file, array, **options):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="disk full"):
        TABLES.write(path)
    assert [file.name for file in tmp_path.iterdir()] == ["item_neighbours.npz"]
    assert path.read_bytes() == b"old"


def test_files_that_are_absent_broken_or_of_something_else_are_users_mistakes(tmp_path):
    path = tmp_path / "item_neighbours.npz"
    with pytest.raises(UserError, match=r"do not exist.*transition_window"):
        NeighbourTables.read(path)
    path.write_bytes(b"PK broken")
    with pytest.raises(UserError, match="cannot be read"):
        NeighbourTables.read(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        NeighbourTables.read(path)
    np.savez(path, **{"covisited/neighbours": COVISITED.neighbours})
    with pytest.raises(UserError, match="covisited/weights"):
        NeighbourTables.read(path)
    TABLES.write(path)
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "made_from": np.array('{"items": "xyz"}')})
    with pytest.raises(UserError, match="fingerprint"):
        NeighbourTables.read(path)
    TABLES.write(path)
    with pytest.raises(UserError, match="made from items abc, but items xyz is in use"):
        NeighbourTables.read(path, {"items": "xyz"})


def test_a_file_cut_short_anywhere_is_a_users_mistake(tmp_path):
    path = tmp_path / "item_neighbours.npz"
    TABLES.write(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cannot be read"):
            NeighbourTables.read(path)


def test_a_flipped_bit_is_a_users_mistake_or_changes_nothing(tmp_path):
    path = tmp_path / "item_neighbours.npz"
    TABLES.write(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        )
        try:
            expect_equal(NeighbourTables.read(path), TABLES)
        except UserError as error:
            assert "cannot be read" in str(error)
            refused += 1
    assert refused > len(whole) / 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dataclasses.replace(NEXT, weights=NEXT.weights[:, :1]), r"\(4, 1\)"),
        (lambda: dataclasses.replace(NEXT, support=NEXT.support[1:]), r"\(3,\)"),
        (lambda: dataclasses.replace(NEXT, neighbours=NEXT.neighbours[0]), "shapes must be"),
        (lambda: dataclasses.replace(NEXT, weights=NEXT.weights.astype(float)), "float64"),
        (lambda: table(np.zeros((2, 0)), np.zeros((2, 0)), [0, 0]), "shapes must be"),
        (lambda: changed("neighbours", (1, 0), 4), r"from 0 to 3, received 0\.\.4"),
        (lambda: changed("neighbours", (1, 0), -1), r"received -1\.\.3"),
        (lambda: changed("neighbours", (0, 0), 1), "line 0 empty"),
        (lambda: changed("neighbours", (1, 0), 1), "no item next to itself"),
        (lambda: changed("weights", (3, 0), 0), "above 0 for a neighbour"),
        (lambda: changed("weights", (3, 1), 0.1), "0 where there is none"),
        (lambda: changed("weights", (1, 0), np.nan), "finite"),
        (lambda: changed("weights", (1, 1), 3), "descend"),
        (lambda: table([[0, 0], [3, 2], *[[0, 0]] * 2], [[0, 0], [2, 2], *[[0, 0]] * 2], [4] * 4),
         "ascend where they tie"),
        (lambda: table([[0, 0], [2, 2], [0, 0]], [[0, 0], [2, 2], [0, 0]], [4] * 3), "ascend"),
        (lambda: table([[0, 0], [0, 2], [0, 0]], [[0, 0], [0, 2], [0, 0]], [4] * 3), "descend"),
        (lambda: changed("support", 1, 1), "heaviest weight"),
        (lambda: NeighbourTables(table([[0]], [[0]], [0]), NEXT, {}), "received 0 and 3"),
    ],
)  # fmt: skip
def test_tables_that_contradict_themselves_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
