"""Arguments that several commands share."""

import argparse
import pathlib

from tfrs_mm.config import Config, load_config


def new_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    details: str,
) -> argparse.ArgumentParser:
    """A command's parser, whose help keeps the line breaks of `details`."""
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary}\n\n{details}",
        formatter_class=_Help,
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--preset`, `--config` and `--set`."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--preset",
        default=None,
        metavar="NAME",
        help="base or tiny; what --config and --set start from",
    )
    group.add_argument(
        "--config", type=pathlib.Path, default=None, metavar="FILE", help="TOML or JSON"
    )
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one value, such as retrieval.temperature=0.05; may be given several times",
    )  # fmt: skip


def config_of(arguments: argparse.Namespace, base: Config | None = None) -> Config:
    """The configuration that the arguments ask for.

    Args:
        arguments: parsed, with those of `add_config`.
        base: what they start from unless a preset is named.
    """
    if arguments.preset is not None:
        return load_config(arguments.config, arguments.overrides, preset=arguments.preset)
    return load_config(arguments.config, arguments.overrides, base=base)


class _Help(argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        """Adds the default where there is one worth reading."""
        text = action.help
        if (
            text
            and action.default not in (None, argparse.SUPPRESS, False, [])
            and "default" not in text
        ):
            text += " (default: %(default)s)"
        return text
