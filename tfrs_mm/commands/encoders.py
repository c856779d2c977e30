"""Which encoder each modality gets, and its export into the data folder."""

import pathlib
import shutil
from typing import TYPE_CHECKING

from tfrs_mm.commands.media_sample import MediaSample
from tfrs_mm.config import Config, EncoderConfig, load_config
from tfrs_mm.errors import UserError
from tfrs_mm.schema import Modality
from tfrs_mm.weights import find_weights, pretrained_encoder_of, verify_weights

if TYPE_CHECKING:
    from pipelines.input_folder import InputFolder


def prepare_encoders(
    config: Config,
    weights_dir: pathlib.Path,
    output_dir: pathlib.Path,
    sample: MediaSample,
    input_dir: "InputFolder",
    base_dir: pathlib.Path | None = None,
) -> tuple[dict[Modality, pathlib.Path], list[str]]:
    """Exports one encoder for each modality that the catalogue has and the configuration wants, or
    describes the embeddings that are given in its place.

    Args:
        config: the sections `data` and `encoders` and the seed are used.
        weights_dir: of the pretrained encoders.
        output_dir: takes one folder for each modality.
        sample: of the catalogue's media, for encoders that are trained on it.
        input_dir: holds embeddings that are given.
        base_dir: a former data folder, whose encoders go on where their settings are the same.

    Returns:
        The folders, and one line for each modality that says what was chosen and why.

    Raises:
        UserError: a modality's `kind` is `pretrained` and its weights are not installed, or
            damaged; it is `saved_model` and there is no such encoder; it is `keras_cv` and there is
            no such backbone, or its weights do not fit; it is `given` and there are no such
            embeddings.
    """
    found = find_weights(weights_dir)
    former = _former_settings(base_dir)
    folders: dict[Modality, pathlib.Path] = {}
    notes = []
    for modality in Modality:
        settings: EncoderConfig = getattr(config.encoders, modality.value)
        name = pretrained_encoder_of(modality)
        if settings.kind == "none":
            notes.append(f"{modality.value}: left out, encoders.{modality.value}.kind is none")
            continue
        folder = output_dir / modality.value
        if settings.kind == "given":
            notes.append(_describe_given(modality, config, input_dir, folder))
            folders[modality] = folder
            continue
        if not sample.has(modality):
            notes.append(f"{modality.value}: left out, the catalogue has none")
            continue
        if former.get(modality) == settings:
            shutil.copytree(base_dir / "encoders" / modality.value, folder)
            notes.append(f"{modality.value}: that of {base_dir}")
            folders[modality] = folder
            continue
        if settings.kind == "pretrained" and name not in found:
            raise UserError(
                f"encoders.{modality.value}.kind is pretrained, but the weights of {name} are not "
                f"in {weights_dir}. Install them with: tfrs-mm weights --output {weights_dir}"
            )
        if settings.kind == "saved_model":
            notes.append(_copy_saved_model(modality, settings, folder))
        elif settings.kind == "keras_cv":
            notes.append(_export_keras_cv(modality, settings, folder))
        elif settings.kind in ("auto", "pretrained") and name in found:
            _export_pretrained(name, modality, settings, weights_dir, folder)
            notes.append(f"{modality.value}: pretrained {name}")
        else:
            missing = f", no weights of {name} in {weights_dir}" if settings.kind == "auto" else ""
            items = _export_small(modality, settings, sample, folder, config.training.seed)
            if items:
                notes.append(f"{modality.value}: small encoder trained on {items} items{missing}")
            else:
                notes.append(
                    f"{modality.value}: left out, too few of its media can be decoded to train "
                    f"on{missing}"
                )
                continue
        folders[modality] = folder
    return folders, notes


def _former_settings(base_dir: pathlib.Path | None) -> dict[Modality, EncoderConfig]:
    """With what settings each encoder of a former run was made; none where there is no such run."""
    if base_dir is None:
        return {}
    config = load_config(base_dir / "config.json")
    there = [m for m in Modality if (base_dir / "encoders" / m.value).is_dir()]
    return {modality: getattr(config.encoders, modality.value) for modality in there}


def _describe_given(
    modality: Modality, config: Config, input_dir: "InputFolder", folder: pathlib.Path
) -> str:
    """Says what was found, in the note's words."""
    from pipelines.given import describe_given

    settings: EncoderConfig = getattr(config.encoders, modality.value)
    given = describe_given(modality, settings, input_dir, config.data, folder)
    return f"{modality.value}: given embeddings of {given.dim} dimensions from {given.source}"


def _copy_saved_model(modality: Modality, settings: EncoderConfig, folder: pathlib.Path) -> str:
    """Copies an encoder of the user's, once it was tried; the data folder stands alone then."""
    from pipelines.describe_encoder import tried_encoder

    encoder = tried_encoder(settings.file)
    if encoder.modality is not modality:
        raise UserError(
            f"encoders.{modality.value}.file must be an encoder of {modality.value}, but "
            f"{settings.file} is one of {encoder.modality.value}. Give another."
        )
    shutil.copytree(encoder.path, folder)
    return f"{modality.value}: saved model {encoder.name} from {settings.file}"


def _export_pretrained(
    name: str,
    modality: Modality,
    settings: EncoderConfig,
    weights_dir: pathlib.Path,
    folder: pathlib.Path,
) -> None:
    from tfrs_mm.encoders import EfficientNetImageEncoder, MiniLmTextEncoder, MusicnnAudioEncoder
    from tfrs_mm.encoders.base import export_encoder

    sha256 = verify_weights(weights_dir, name)
    location = find_weights(weights_dir)[name]
    if modality is Modality.TEXT:
        encoder = MiniLmTextEncoder(location)
    elif modality is Modality.AUDIO:
        encoder = MusicnnAudioEncoder(location)
    else:
        encoder = EfficientNetImageEncoder(location, settings.size_px)
    export_encoder(
        encoder, folder, name=name, modality=modality, kind="pretrained", weights_sha256=sha256
    )


def _export_keras_cv(modality: Modality, settings: EncoderConfig, folder: pathlib.Path) -> str:
    """Exports a KerasCV backbone; says what it is, in the note's words."""
    from tfrs_mm.encoders import KerasCvImageEncoder
    from tfrs_mm.encoders.base import export_encoder, sha256_of_variables

    encoder = KerasCvImageEncoder(settings, f"encoders.{modality.value}")
    export_encoder(
        encoder,
        folder,
        name=encoder.backbone_name,
        modality=modality,
        kind="keras_cv",
        weights_sha256=sha256_of_variables(encoder),
        arguments=encoder.arguments,
    )
    weights = (
        f"weights from {settings.file}"
        if settings.file
        else (f"random weights by the seed {settings.random_seed}")
    )
    return (
        f"{modality.value}: KerasCV {encoder.backbone_name} of {encoder.dim} dimensions, {weights}"
    )


def _export_small(
    modality: Modality,
    settings: EncoderConfig,
    sample: MediaSample,
    folder: pathlib.Path,
    seed: int,
) -> int:
    """Trains and exports; the number of items it was trained on, 0 if they are too few."""
    from tfrs_mm.encoders.base import export_encoder, sha256_of_variables
    from tfrs_mm.encoders.small import make_small_encoder
    from tfrs_mm.training.small_encoders import MIN_ITEMS, train_small_encoder

    encoder = make_small_encoder(modality, settings.small_dim, settings.small_size_px, seed)
    arrays = sample.arrays(modality, tuple(encoder.input_spec.shape.as_list()))
    if len(arrays) < MIN_ITEMS:
        return 0
    train_small_encoder(encoder, arrays, settings.small_epochs, settings.batch_size, seed)
    export_encoder(
        encoder,
        folder,
        name=f"small_{modality.value}",
        modality=modality,
        kind="small",
        weights_sha256=sha256_of_variables(encoder),
    )
    return len(arrays)
