import pytest

from tfrs_mm.media import MediaError, read_below, resolve_below


@pytest.fixture
def root(tmp_path):
    home = tmp_path / "data"
    (home / "images").mkdir(parents=True)
    (home / "images" / "a.jpg").write_bytes(b"12345")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return home


def test_a_file_below_the_root_is_found_and_read(root):
    assert resolve_below(root, "images/a.jpg") == (root / "images" / "a.jpg").resolve()
    assert read_below(root, "./images/a.jpg", max_bytes=5) == b"12345"


@pytest.mark.parametrize(
    "path", ["../secret.txt", "images/../../secret.txt", "images/..", "/etc/hostname", "", " "]
)
def test_a_path_that_could_leave_the_root_is_refused(root, path):
    with pytest.raises(MediaError, match="path"):
        resolve_below(root, path)


def test_a_zero_byte_is_refused(root):
    with pytest.raises(MediaError, match="zero byte"):
        resolve_below(root, "images/a.jpg\0.txt")


def test_a_link_out_of_the_root_is_refused_and_one_within_it_is_not(root):
    (root / "out").symlink_to(root.parent / "secret.txt")
    (root / "up").symlink_to(root.parent)
    (root / "within.jpg").symlink_to(root / "images" / "a.jpg")
    for path in ("out", "up/secret.txt"):
        with pytest.raises(MediaError, match="symbolic link"):
            resolve_below(root, path)
    assert read_below(root, "within.jpg", max_bytes=100) == b"12345"


def test_a_loop_of_links_is_refused(root):
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(MediaError):
        read_below(root, "loop", max_bytes=100)


def test_a_root_that_is_itself_a_link_is_followed(root, tmp_path):
    (tmp_path / "alias").symlink_to(root)
    assert read_below(tmp_path / "alias", "images/a.jpg", max_bytes=100) == b"12345"


@pytest.mark.parametrize(
    ("path", "max_bytes", "reason"),
    [
        ("images/b.jpg", 100, "file does not exist"),
        ("images", 100, "not a regular file"),
        ("images/a.jpg", 4, "file is too large"),
        ("empty.jpg", 100, "file is empty"),
        ("images/a.jpg/x", 100, "file cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(root, path, max_bytes, reason):
    (root / "empty.jpg").write_bytes(b"")
    with pytest.raises(MediaError, match=reason):
        read_below(root, path, max_bytes)
