"""NumPy's archives of arrays (`.npz`): one array of images in one, with its labels beside it."""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from batch_infer.errors import DamagedArrayError, UsageError
from batch_infer.inputs.arrays.foreign import refuse_zip
from batch_infer.inputs.arrays.inflate import fill, open_at_once
from batch_infer.inputs.arrays.label_values import to_labels
from batch_infer.inputs.arrays.npy import NpyHeader, NpyImages, images_shape, parse_npy_header
from batch_infer.inputs.arrays.source import ArraySource, Sampler, token_of
from batch_infer.paths import escape_path

_BLOCK: Final = 1 << 20  # bytes inflated at a time where they are only checked
_LOCAL_HEADER: Final = 30  # bytes, before the name
_MAX_LABELS: Final = 1 << 30  # bytes
_PARTNERS: Final = (("x", "y"), ("images", "labels"), ("image", "label"), ("data", "labels"), ("data", "target"))
_DAMAGE: Final = (  # whatever zipfile and zlib raise about damaged data
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


def open_npz(path: str, file: str, name: str) -> ArraySource:
    """Open and check one array of images in an archive.

    Args:
        path: as the user named it.
        file: the archive.
        name: of the array; empty for the only one of images.

    Raises:
        DamagedArrayError: the archive or the array is damaged, or does not hold images.
        ImageError: it is a zip file of other things.
        UsageError: there are several arrays of images, or none of that name.
    """
    with open(file, "rb", opener=open_at_once) as content:
        try:
            with zipfile.ZipFile(content) as archive:
                headers = _headers(archive)
                chosen = _choose(path, file, name, headers)
                info = archive.getinfo(chosen)
                labels = _labels_of(archive, chosen, headers)
                if info.compress_type == zipfile.ZIP_STORED:
                    _check_whole(archive, info)
                    content.seek(info.header_offset)
                    local = content.read(_LOCAL_HEADER)
                    lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
                    place = info.header_offset + _LOCAL_HEADER + lengths, info.file_size
                    return StoredImages(path, file, place, labels)
                return DeflatedImages(path, file, content, info, labels)
        except _DAMAGE as error:
            raise DamagedArrayError(f"a damaged archive (.npz): {error}") from error


class StoredImages(NpyImages):
    """An array that lies uncompressed in an archive."""

    kind: ClassVar[str] = "NumPy archive"

    def __init__(self, path: str, file: str, place: tuple[int, int], labels: npt.NDArray[Any] | str | None) -> None:
        super().__init__(path, file, place)
        self._labels = labels

    def labels(self) -> npt.NDArray[np.int8] | None:
        """The labels beside it in the archive."""
        return _checked_labels(self._labels, self.shape[0])


class DeflatedImages(ArraySource):
    """A compressed array of an archive: checked to its checksum, then read in order."""

    kind: ClassVar[str] = "NumPy archive"
    sequential = True

    def __init__(
        self, path: str, file: str, content: IO[bytes], info: zipfile.ZipInfo, labels: npt.NDArray[Any] | str | None
    ) -> None:
        self.path, self.file, self._member, self._labels = path, file, info.filename, labels
        self.token = token_of(os.fstat(content.fileno()))
        with zipfile.ZipFile(content) as archive, archive.open(info) as member:
            self._header = parse_npy_header(member)
            self.dtype, self.shape = self._header.dtype, images_shape(self._header)
            if self._header.fortran_order:
                raise DamagedArrayError(
                    "a compressed array in Fortran order; save it again: np.savez(FILE, x=np.ascontiguousarray(x))"
                )
            sampler = Sampler(self.sample_places)
            for images in self._images(member, max(1, _BLOCK // max(1, self._image_bytes))):
                sampler.see(images)
            self.sample = sampler.collected()

    def labels(self) -> npt.NDArray[np.int8] | None:
        """The labels beside it in the archive."""
        return _checked_labels(self._labels, self.shape[0])

    def stream(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Inflate the array in chunks of at most `size` images."""
        with self._open_again() as content:
            try:
                with zipfile.ZipFile(content) as archive, archive.open(self._member) as member:
                    parse_npy_header(member)
                    yield from self._images(member, size)
            except _DAMAGE as error:
                raise DamagedArrayError(f"a damaged archive (.npz): {error}") from error

    @property
    def _image_bytes(self) -> int:
        return self.shape[1] * self.shape[2] * np.dtype(self.dtype).itemsize

    def _images(self, member: IO[bytes], size: int) -> Iterator[npt.NDArray[Any]]:
        count, rows, columns = self.shape
        for start in range(0, count, size):
            buffer = np.empty((min(size, count - start), rows, columns), self.dtype)
            fill(member, buffer)
            yield buffer
        if member.read(1):  # there the checksum is compared
            raise DamagedArrayError(f"the header says shape {self._header.shape}; there are more bytes behind it")


def _headers(archive: zipfile.ZipFile) -> dict[str, NpyHeader | DamagedArrayError]:
    """The headers of all arrays, by the names of their members."""
    infos = archive.infolist()
    if not infos or not all(info.filename.endswith(".npy") for info in infos):
        refuse_zip([info.filename for info in infos])
    headers: dict[str, NpyHeader | DamagedArrayError] = {}
    for info in infos:
        with archive.open(info) as member:
            try:
                headers[info.filename] = parse_npy_header(member)
            except DamagedArrayError as error:
                headers[info.filename] = error
    return headers


def _choose(path: str, file: str, name: str, headers: dict[str, NpyHeader | DamagedArrayError]) -> str:
    """Choose the array of images → the name of its member."""
    if name:
        chosen = f"{name}.npy"
        if chosen not in headers:
            raise UsageError(f"{escape_path(path)}: no such array; there are {_listed(headers)}")
        candidates = [chosen]
    else:
        candidates = [key for key, header in headers.items() if isinstance(header, NpyHeader) and _may_be(header)]
        candidates = candidates or list(headers)[:1]
    if len(candidates) > 1:
        example = f"{escape_path(file)}::{candidates[-1].removesuffix('.npy')}"
        raise UsageError(f"{escape_path(path)}: holds {_listed(candidates)}; name one of them: {example}")
    header = headers[candidates[0]]
    if isinstance(header, DamagedArrayError):
        raise header
    return candidates[0]


def _may_be(header: NpyHeader) -> bool:
    try:
        return images_shape(header)[1] > 1
    except DamagedArrayError:
        return False


def _listed(names: Any) -> str:
    shown = [escape_path(name.removesuffix(".npy")) for name in names]
    return ", ".join(shown[:8]) + ", …" * (len(shown) > 8)


def _labels_of(
    archive: zipfile.ZipFile, chosen: str, headers: dict[str, NpyHeader | DamagedArrayError]
) -> npt.NDArray[Any] | str | None:
    """Read the array of labels that belongs to one of images: `y_test` to `x_test`, `labels` to `images`."""
    for ours, theirs in _PARTNERS:
        partner = re.sub(rf"(?<![a-z]){ours}(?![a-z])", theirs, chosen.lower())
        found = next((name for name in headers if name.lower() == partner and name != chosen), None)
        if partner == chosen.lower() or found is None:
            continue
        header = headers[found]
        if isinstance(header, DamagedArrayError):
            return f"{found.removesuffix('.npy')}: {header}"
        if header.size > _MAX_LABELS:
            return f"{found.removesuffix('.npy')}: shape {header.shape}; expected labels from 0 to 9"
        with archive.open(found) as member:
            parse_npy_header(member)
            data = member.read(header.size + 1)
        if len(data) != header.size:
            return f"{found.removesuffix('.npy')}: the data do not fit the header"
        return np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran_order else "C")
    return None


def _checked_labels(labels: npt.NDArray[Any] | str | None, count: int) -> npt.NDArray[np.int8] | None:
    if isinstance(labels, str):
        raise DamagedArrayError(labels)
    return None if labels is None else to_labels(labels, count, "labels")


def _check_whole(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Read a member to its end: there zipfile compares the checksum."""
    with archive.open(info) as member:
        while member.read(_BLOCK):
            pass
