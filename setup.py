"""Installs the three packages of tfrs_mm. Ranges are here, exact versions in constraints.txt."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "([^"]+)"', (HERE / "tfrs_mm/__init__.py").read_text("utf-8")
).group(1)

EXTRAS = {
    "scann": ["scann[tf]>=1.4.2,<1.5"],
    "beam": [
        "apache-beam[tfrecord]>=2.77,<2.80",
        "google-crc32c>=1.6,<2",
        "isal>=1.7,<2",
        "pyarrow>=16,<26",
    ],
    "media": ["av>=14,<19", "pillow>=11,<13", "keras-cv>=0.9,<0.10", "tensorflow-io>=0.37,<0.38"],
    "serving": ["tensorflow-serving-api>=2.20,<2.21", "grpcio>=1.70,<2"],
    "notebooks": [
        "matplotlib>=3.9,<4",
        "nbformat>=5.10,<6",
        "nbclient>=0.10,<0.12",
        "ipykernel>=6.29,<8",
    ],
}
EXTRAS["all"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})
EXTRAS["bench"] = ["polars>=2.1,<3"]  # what benchmarks compare with; no part of the library
TOOLS = ("pytest>=8,<10", "pytest-xdist>=3.6,<4", "hypothesis>=6.100,<7", "ruff>=0.8,<1")
EXTRAS["dev"] = sorted({*EXTRAS["all"], *EXTRAS["bench"], *TOOLS})

setup(
    name="tfrs-mm",
    version=VERSION,
    description="A multimodal two-stage recommender on TensorFlow: media bytes to served answer",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",
    packages=find_packages(
        include=["tfrs_mm", "tfrs_mm.*", "pipelines", "pipelines.*", "serving", "serving.*"]
    ),
    package_data={
        "tfrs_mm": ["presets/*.toml"],
        "serving": ["tf_serving/*", "tf_serving/**/*"],
    },
    install_requires=[
        "tensorflow>=2.20,<2.21",
        "tf-keras>=2.20,<2.21",
        "tensorflow-text>=2.20,<2.21",
        "tensorflow-recommenders>=0.7.7,<0.8",
        "numpy>=2,<3",
        "protobuf>=6.30,<7",
        "tensorboard>=2.20,<2.21",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["tfrs-mm=tfrs_mm.cli:main"]},
)
