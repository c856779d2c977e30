"""How many items of a history are how similar to a candidate: a histogram for each modality."""

import tensorflow as tf

from tfrs_mm.ranking.features import RankingTables


def match_histograms(
    tables: RankingTables, history: tf.Tensor, candidates: tf.Tensor, bins: int
) -> tf.Tensor:
    """Logarithms of counts of cosines, by item vector and by each modality.

    Guo et al., A Deep Relevance Matching Model for Ad-hoc Retrieval, 2016, section 3.1, the
    log-count-based histogram. A mean or a maximum cannot tell one close item from ten that are
    half as close; a histogram can.

    Args:
        tables: of the items.
        history: `[batch, time]` int32, 0 for none.
        candidates: `[batch, k]` int32.
        bins: of each histogram, at least 2.

    Returns:
        `[batch, k, bins * (1 + modalities)]`; a pair that lacks a modality is not counted.
    """
    known = (history > 0)[:, None, :]
    both = (candidates, history)
    vectors = [tf.math.l2_normalize(tf.gather(tables.item_vectors, rows), axis=-1) for rows in both]
    parts = [linear_histogram(tf.matmul(*vectors, transpose_b=True), known, bins)]
    values = [tf.gather(tables.modality_vectors, rows) for rows in both]
    present = [tf.gather(tables.present, rows) for rows in both]
    for place in range(tables.modality_vectors.shape[1]):
        cosines = tf.matmul(values[0][:, :, place], values[1][:, :, place], transpose_b=True)
        valid = present[0][:, :, None, place] & present[1][:, None, :, place] & known
        parts.append(linear_histogram(cosines, valid, bins))
    return tf.math.log1p(tf.concat(parts, axis=-1))


def linear_histogram(values: tf.Tensor, valid: tf.Tensor, bins: int) -> tf.Tensor:
    """Counts of values from -1 to 1; each value is shared by the two bins nearest to it.

    The centres of the bins are spread evenly, the first at -1, the last at 1. A value between two
    centres counts for either by how near it is, so that a small change of it changes the counts
    by little.

    Args:
        values: `[batch, k, time]`.
        valid: the same shape or broadcast to it, bool: what is counted.
        bins: at least 2.

    Returns:
        `[batch, k, bins]`, which sums up to the number of values that are counted.
    """
    places = (tf.clip_by_value(values, -1.0, 1.0) + 1.0) * (bins - 1) / 2
    counted = tf.cast(tf.broadcast_to(valid, tf.shape(values)), values.dtype)
    # One bin at a time: all at once would hold `bins` times the pairs in memory.
    shares = [
        tf.reduce_sum(counted * tf.nn.relu(1.0 - tf.abs(places - centre)), axis=-1)
        for centre in range(bins)
    ]
    return tf.stack(shares, axis=-1)
