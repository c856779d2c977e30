from tfrs_mm.data.event_weights import read_event_weights, weights_by_row, write_event_weights
from tfrs_mm.data.vocabulary import Vocabulary


def test_weights_are_read_as_they_were_written(tmp_path):
    assert read_event_weights(tmp_path) == {}
    write_event_weights(tmp_path, {"buy": 3.0, "dislike": -1.0})
    assert read_event_weights(tmp_path) == {"buy": 3.0, "dislike": -1.0}


def test_each_row_of_the_vocabulary_has_its_weight():
    events = Vocabulary(("buy", "view"))
    assert weights_by_row({"buy": 3.0, "dislike": -1.0}, events).tolist() == [0, 3, 1]
    assert weights_by_row({}, events).tolist() == [0, 1, 1]
