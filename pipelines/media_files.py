"""Where the media of a catalogue are read from: the input folder, and places that the
configuration allows besides it.
"""

import dataclasses
from collections.abc import Sequence

from pipelines.input_folder import AnyFolder, InputFolder, is_url
from tfrs_mm.media import MediaError


@dataclasses.dataclass(frozen=True)
class MediaFiles:
    """What reads a cell of the catalogue; it can be pickled.

    Attributes:
        home: cells without a scheme are names below it.
        roots: folders, other than `home`, that a cell with a scheme may lie below.
    """

    home: InputFolder
    roots: tuple[InputFolder, ...] = ()

    @classmethod
    def of(cls, home: AnyFolder, roots: Sequence[str] = ()) -> "MediaFiles":
        """The input folder, and the URLs of other folders.

        Raises:
            UserError: Beam knows no file system of such a URL.
        """
        return cls(InputFolder.of(home), tuple(InputFolder.of(root) for root in roots))

    def read(self, cell: str, max_bytes: int) -> bytes:
        """The bytes of a medium.

        Raises:
            MediaError: the cell leads to none of the folders, or there is no readable file of at
                most `max_bytes` with at least one.
        """
        if not is_url(cell):
            return self.home.read(cell, max_bytes)
        for root in (self.home, *self.roots):
            if cell.startswith(f"{root.root}/"):
                return root.read(cell[len(root.root) + 1 :], max_bytes)
        raise MediaError("address lies below none of encoders.media_roots")
