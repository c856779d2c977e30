"""One modality of a catalogue embedded in a plain loop: one item is decoded, then encoded.

It is what the media job is measured against, with the same decoders and the same SavedModel. What
is decoded is encoded once more in the job's own batches, which tells what the encoder alone takes
there. Prints seconds as JSON. Run it by hand:
`python benchmarks/one_item_form.py --input films --encoder films/image --output images.npz`.
"""

import argparse
import json
import pathlib
import time

import numpy as np

from pipelines.catalogue import ITEM_ID, read_rows
from pipelines.decode import cells_of, decoder_of
from pipelines.inference import EncoderHandler
from pipelines.media_files import MediaFiles
from tfrs_mm.config import Config
from tfrs_mm.encoder_folder import EncoderFolder
from tfrs_mm.media import MediaError
from tfrs_mm.schema import Modality

_ARRAYS_AT_ONCE = 128  # that wait to be encoded in batches


def run(
    input_dir: pathlib.Path, encoder: pathlib.Path, output: pathlib.Path, config: Config
) -> dict[str, float]:
    """Writes the embeddings; what decoding and encoding took, in seconds, and how many items.

    Args:
        input_dir: holds `items.csv` and what it names.
        encoder: the folder of an exported encoder.
        output: takes `item_ids` and `embeddings`.
        config: the section `encoders` is used.
    """
    folder = EncoderFolder.read(encoder)
    settings = getattr(config.encoders, folder.modality.value)
    decode = decoder_of(folder.modality, folder.input_shape, MediaFiles.of(input_dir), settings)
    handler = EncoderHandler(folder, settings.batch_size)
    model = handler.load_model()
    item_ids, embeddings = [], []
    took = {"decode": 0.0, "encode": 0.0, "encode in batches": 0.0}
    waiting: list[tuple[str, np.ndarray]] = []

    def encode_waiting() -> None:
        started = time.perf_counter()
        handler.run_inference(waiting, model)
        took["encode in batches"] += time.perf_counter() - started
        waiting.clear()

    for item_id, cell in _cells(input_dir, folder.modality):
        started = time.perf_counter()
        try:
            arrays = decode(cell)
        except MediaError:
            continue
        decoded = time.perf_counter()
        embeddings.append(model.embed(arrays).mean(axis=0))
        took["encode"] += time.perf_counter() - decoded
        took["decode"] += decoded - started
        item_ids.append(item_id)
        waiting.append((item_id, arrays))
        if sum(len(arrays) for _, arrays in waiting) >= _ARRAYS_AT_ONCE:
            encode_waiting()
    if waiting:
        encode_waiting()
    np.savez(output, item_ids=np.array(item_ids), embeddings=np.array(embeddings))
    return {**took, "items": len(item_ids)}


def _cells(input_dir: pathlib.Path, modality: Modality) -> list[tuple[str, str]]:
    columns = (ITEM_ID, "title", "description", "image_path", "audio_path", "video_path")
    return [
        (item_id, cell)
        for batch in read_rows(str(input_dir / "items.csv"), columns)
        for item_id, cell in zip(
            batch.column(ITEM_ID).to_pylist(), cells_of(batch, modality), strict=True
        )
        if cell
    ]


def main() -> None:
    """The loop as a command."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--encoder", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.input, arguments.encoder, arguments.output, Config())))


if __name__ == "__main__":
    main()
