import gzip
import struct

import pytest
import tensorflow as tf

from tfrs_mm.data.tfrecord import find_shards, frame, read_tfrecord, shard_name, write_tfrecord
from tfrs_mm.errors import UserError

RECORDS = [b"", b"a", b"\x00\xff" * 300, "Ü".encode()]


def test_tensorflow_reads_what_is_written(tmp_path):
    path = tmp_path / "x.tfrecord.gz"
    assert write_tfrecord(path, iter(RECORDS)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["x.tfrecord.gz"]
    dataset = tf.data.TFRecordDataset([str(path)], compression_type="GZIP")
    assert [record.numpy() for record in dataset] == RECORDS


def test_framing_is_byte_for_byte_that_of_tensorflow(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "plain")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert frame(RECORDS) == (tmp_path / "plain").read_bytes()


def test_what_is_written_is_read_back(tmp_path):
    write_tfrecord(tmp_path / "x", RECORDS)
    assert list(read_tfrecord(tmp_path / "x")) == RECORDS
    write_tfrecord(tmp_path / "empty", [])
    assert list(read_tfrecord(tmp_path / "empty")) == []


def test_more_than_one_buffer_is_written_whole(tmp_path):
    # three records of 200,000 bytes pass the buffer of 2**18 = 262,144 bytes
    records = [bytes([place]) * 200_000 for place in range(3)]
    write_tfrecord(tmp_path / "x", records)
    assert list(read_tfrecord(tmp_path / "x")) == records


def test_the_same_records_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_tfrecord(tmp_path / name, RECORDS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_failing_source_leaves_nothing_behind(tmp_path):
    def failing():
        yield b"a"
        raise RuntimeError("source broke")

    with pytest.raises(RuntimeError, match="source broke"):
        write_tfrecord(tmp_path / "x", failing())
    assert list(tmp_path.iterdir()) == []


def damaged(content, how):
    framed = bytearray(gzip.decompress(content))
    if how == "bit":
        framed[12] ^= 1  # the first byte of the first record
    elif how == "length":
        framed[0] ^= 1
    elif how == "short":
        framed = framed[:-3]
    elif how == "header":
        framed += struct.pack("<Q", 5)
    return gzip.compress(bytes(framed))


@pytest.mark.parametrize("how", ["bit", "length", "short", "header"])
def test_damage_inside_the_frames_is_found(tmp_path, how):
    write_tfrecord(tmp_path / "x", [b"abc", b"defg"])
    (tmp_path / "x").write_bytes(damaged((tmp_path / "x").read_bytes(), how))
    with pytest.raises(UserError, match="damaged"):
        list(read_tfrecord(tmp_path / "x"))


def test_a_file_that_is_cut_off_or_no_gzip_or_absent_is_a_users_mistake(tmp_path):
    write_tfrecord(tmp_path / "x", [bytes(range(256))] * 10)
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged"):
        list(read_tfrecord(tmp_path / "x"))
    (tmp_path / "x").write_bytes(b"no gzip at all")
    with pytest.raises(UserError, match="damaged"):
        list(read_tfrecord(tmp_path / "x"))
    with pytest.raises(UserError, match="does not exist"):
        list(read_tfrecord(tmp_path / "absent"))


def test_shards_are_named_by_place_and_total():
    assert shard_name("train", 0, 2) == "train-00000-of-00002.tfrecord.gz"


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_all_shards_are_found_in_order_and_nothing_else(tmp_path):
    for index in (2, 0, 1):
        touch(tmp_path, shard_name("train", index, 3))
    touch(
        tmp_path, "train-0-of-1.tfrecord.gz", ".train-00000-of-00003.tfrecord.gz.tmp", "report.json"
    )
    touch(tmp_path, "pretrain-00000-of-00001.tfrecord.gz", "train-x-00000-of-00001.tfrecord.gz")
    assert find_shards(tmp_path, "train") == [
        str(tmp_path / f"train-0000{index}-of-00003.tfrecord.gz") for index in range(3)
    ]


def test_a_missing_shard_is_named(tmp_path):
    touch(tmp_path, shard_name("train", 0, 3), shard_name("train", 2, 3))
    with pytest.raises(UserError, match="train-00001-of-00003"):
        find_shards(tmp_path, "train")


def test_a_shard_beyond_the_set_is_named(tmp_path):
    touch(tmp_path, shard_name("train", 0, 1), shard_name("train", 1, 1))
    with pytest.raises(UserError, match=r"not of the set: .*train-00001-of-00001"):
        find_shards(tmp_path, "train")


def test_two_sets_beside_each_other_are_refused(tmp_path):
    touch(tmp_path, shard_name("train", 0, 1), shard_name("train", 0, 2), shard_name("train", 1, 2))
    with pytest.raises(UserError, match=r"sets of \[1, 2\] files"):
        find_shards(tmp_path, "train")


def test_no_shards_and_no_folder_are_users_mistakes(tmp_path):
    with pytest.raises(UserError, match="holds no train-"):
        find_shards(tmp_path, "train")
    with pytest.raises(UserError, match="does not exist"):
        find_shards(tmp_path / "nowhere", "train")
