import numpy as np
import pytest

from tfrs_mm.errors import UserError
from tfrs_mm.projection import AffineStep, Projection
from tfrs_mm.schema import Modality


def step(size, dim, kind="pca", seed=1):
    generator = np.random.default_rng(seed)
    return AffineStep(
        kind, generator.normal(size=size), generator.normal(size=(size, dim)),
        np.linspace(0.5, 0.1, dim), 17, {"dim": dim},
    )  # fmt: skip


def projection(*steps, encoder="abc"):
    return Projection(Modality.IMAGE, encoder, steps or (step(5, 4), step(4, 2, "cca", 2)))


def test_steps_are_applied_one_after_the_other():
    two = projection()
    rows = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    first, second = two.steps
    expected = ((rows - first.mean) @ first.matrix - second.mean) @ second.matrix
    np.testing.assert_allclose(two.apply(rows), expected, rtol=1e-5)
    assert (two.input_dim, two.dim, two.apply(rows).dtype) == (5, 2, np.float32)


def test_a_row_gives_the_same_bits_whatever_stands_beside_it():
    two = projection(step(300, 40))
    rows = np.random.default_rng(3).normal(size=(67, 300)).astype(np.float32)
    whole = two.apply(rows)
    for start in (0, 1, 13):
        assert two.apply(rows[start : start + 9]).tobytes() == whole[start : start + 9].tobytes()
    assert two.apply(rows[5]).tobytes() == whole[5].tobytes()


def test_it_comes_back_as_it_was_written(tmp_path):
    written = projection()
    written.write(tmp_path / "a.npz")
    read = Projection.read(tmp_path / "a.npz")
    rows = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    assert read.apply(rows).tobytes() == written.apply(rows).tobytes()
    assert read.fingerprint == written.fingerprint
    assert read.embedding_fingerprint not in (read.fingerprint, "abc")
    read.write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_fingerprint_follows_numbers_settings_and_encoder():
    first = projection(step(5, 4)).fingerprint
    assert projection(step(5, 4, seed=9)).fingerprint != first
    assert projection(step(5, 4, kind="cca")).fingerprint != first
    assert projection(step(5, 4), encoder="other").fingerprint != first
    assert projection(step(5, 4)).fingerprint == first


def test_another_encoder_is_refused():
    two = projection()
    two.check(Modality.IMAGE, 5, "abc", "p.npz")
    for wrong in ((Modality.TEXT, 5, "abc"), (Modality.IMAGE, 6, "abc"), (Modality.IMAGE, 5, "x")):
        with pytest.raises(
            UserError, match=r"p\.npz was fitted to the encoder abc of image with 5"
        ):
            two.check(*wrong, "p.npz")


def changed(path, **arrays):
    with np.load(path) as stored:
        np.savez(path, **(dict(stored) | arrays))


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"mean_0": np.ones(5)}, "was changed"),
        ({"mean_0": np.ones(6)}, "sizes that do not fit"),
        ({"matrix_1": np.ones([3, 2])}, "sizes that do not fit"),
        ({"description": np.frombuffer(b"{}", np.uint8)}, "cannot be read: KeyError"),
        ({"description": np.frombuffer(b"[", np.uint8)}, "cannot be read: JSONDecodeError"),
        ({"mean_0": np.array([{}], object)}, "cannot be read: ValueError"),  # nothing is unpickled
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path, arrays, fault):
    projection().write(tmp_path / "p.npz")
    changed(tmp_path / "p.npz", **arrays)
    with pytest.raises(UserError, match=fault):
        Projection.read(tmp_path / "p.npz")


def test_a_file_that_is_none_or_too_large_is_refused(tmp_path, monkeypatch):
    (tmp_path / "p.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read: BadZipFile"):
        Projection.read(tmp_path / "p.npz")
    with pytest.raises(UserError, match="cannot be read: FileNotFoundError"):
        Projection.read(tmp_path / "none.npz")
    projection().write(tmp_path / "p.npz")
    monkeypatch.setattr("tfrs_mm.projection._MAX_BYTES", 100)
    with pytest.raises(UserError, match="more than 100"):
        Projection.read(tmp_path / "p.npz")
