"""A file system in memory, known to Beam by the scheme `mem`, as `gs` or `s3` would be."""

import io

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

FILES: dict[str, bytes] = {}


class MemoryFiles(FileSystem):
    """Files by their whole address; there are no folders, as in an object store."""

    @classmethod
    def scheme(cls):
        return "mem"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return path.rpartition("/")[::2]

    def mkdirs(self, path):
        raise AssertionError("a job does not write into its input")

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for path in FILES:
            if path.startswith(dir_or_prefix):
                yield self.metadata(path)

    def open(self, path, mime_type="application/octet-stream", compression_type="auto"):
        if path not in FILES:
            raise BeamIOError(f"{path} is not there")
        return io.BytesIO(FILES[path])

    def create(self, path, mime_type="application/octet-stream", compression_type="auto"):
        raise AssertionError("a job does not write into its input")

    copy = rename = delete = create

    def exists(self, path):
        return path in FILES

    def size(self, path):
        return len(FILES[path])

    def last_updated(self, path):
        return 0.0

    def metadata(self, path):
        return FileMetadata(path, len(FILES[path]))
