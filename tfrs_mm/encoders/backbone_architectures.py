"""Published architectures by the names that KerasCV gives them, spelt out as arguments.

KerasCV keeps what stands here on a server: its class of such a name downloads it when it is called.
Sources: Tan and Le, EfficientNet, 2019 (table 1, and the released Lite variants); He et al., Deep
Residual Learning, 2015 (table 1); Huang et al., DenseNet, 2016 (table 1); Xie et al., SegFormer,
2021 (table 6).
"""

from typing import Any

# KerasCV's own default for a named architecture: pixels from 0 to 255 are divided by 255.
_RESCALED = {"include_rescaling": True}

_EFFICIENT = {
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
}
_LITE_SCALES = {"B0": (1.0, 1.0), "B1": (1.0, 1.1), "B2": (1.1, 1.2), "B3": (1.2, 1.4),
                "B4": (1.4, 1.8)}  # fmt: skip
_V1_SCALES = _LITE_SCALES | {"B5": (1.6, 2.2), "B6": (1.8, 2.6), "B7": (2.0, 3.1)}
_RESIDUAL_BLOCKS = {
    "18": ("basic_block", [2, 2, 2, 2]),
    "34": ("basic_block", [3, 4, 6, 3]),
    "50": ("block", [3, 4, 6, 3]),
    "101": ("block", [3, 4, 23, 3]),
    "152": ("block", [3, 8, 36, 3]),
}
_DENSE_REPEATS = {
    "121": [6, 12, 24, 16], "169": [6, 12, 32, 32], "201": [6, 12, 48, 32],
}  # fmt: skip
_TRANSFORMER_DEPTHS = {
    "B0": ([32, 64, 160, 256], [2, 2, 2, 2]),
    "B1": ([64, 128, 320, 512], [2, 2, 2, 2]),
    "B2": ([64, 128, 320, 512], [3, 4, 6, 3]),
    "B3": ([64, 128, 320, 512], [3, 4, 18, 3]),
    "B4": ([64, 128, 320, 512], [3, 8, 27, 3]),
    "B5": ([64, 128, 320, 512], [3, 6, 40, 3]),
}


def _efficient(width: float, depth: float) -> dict[str, Any]:
    return _RESCALED | _EFFICIENT | {"width_coefficient": width, "depth_coefficient": depth}


def _residual(kind: str, blocks: list[int]) -> dict[str, Any]:
    return _RESCALED | {
        "stackwise_filters": [64, 128, 256, 512],
        "stackwise_blocks": blocks,
        "stackwise_strides": [1, 2, 2, 2],
        "block_type": kind,
    }


# The name to the class that is built, and its arguments.
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"EfficientNetLite{name}Backbone": ("EfficientNetLiteBackbone", _efficient(*scales))
        for name, scales in _LITE_SCALES.items()
    },
    **{
        f"EfficientNetV1{name}Backbone": (
            "EfficientNetV1Backbone",
            _efficient(*scales) | {"stackwise_squeeze_and_excite_ratios": [0.25] * 7},
        )
        for name, scales in _V1_SCALES.items()
    },
    **{
        f"ResNet{name}{version}Backbone": (f"ResNet{version}Backbone", _residual(*blocks))
        for version in ("", "V2")
        for name, blocks in _RESIDUAL_BLOCKS.items()
    },
    **{
        f"DenseNet{name}Backbone": (
            "DenseNetBackbone", _RESCALED | {"stackwise_num_repeats": repeats}
        )
        for name, repeats in _DENSE_REPEATS.items()
    },
    **{
        f"MiT{name}Backbone": (
            "MiTBackbone", _RESCALED | {"embedding_dims": dims, "depths": depths}
        )
        for name, (dims, depths) in _TRANSFORMER_DEPTHS.items()
    },
}  # fmt: skip
