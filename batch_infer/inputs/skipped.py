"""What a folder holds besides pictures: counted by suffix, and the IDX files among it by name."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from batch_infer.decoding.suffixes import suffix_of

# Folders of NAS and systems, in lower case: thumbnails, deleted files, snapshots, what file systems keep.
SYSTEM_FOLDERS: Final = frozenset(
    {
        "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "@sharebin", "@synoeastream",
        "#recycle", "#snapshot", "~snapshot", "$recycle.bin", "recycler", "recycled", "system volume information",
        "lost+found", "found.000", "network trash folder", "temporary items", "thevolumesettingsfolder",
    }
)  # fmt: skip
_IDX_IMAGES: Final = re.compile(r"idx3|\.idx(\.gz)?\Z", re.IGNORECASE)
_MAX_LENGTH: Final = 12  # characters; what is longer is no suffix, but the rest of a name with a dot in it
_MAX_KINDS: Final = 1_000
_MAX_SHOWN: Final = 5
NONE, OTHER = "none", "other"


@dataclass
class Skipped:
    """What was skipped.

    Attributes:
        reasons: number of files and folders by reason.
        suffixes: number of files that were skipped for their suffix, by suffix; `none`: without one.
        idx_files: paths of IDX files of images, at most 1,000.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    suffixes: Counter[str] = field(default_factory=Counter)
    idx_files: list[str] = field(default_factory=list)

    def add_folder(self, prefix: str, names: list[str]) -> None:
        """Count files of a folder that are skipped for their suffix."""
        self.reasons["other_suffix"] += len(names)
        for name in names:
            suffix = suffix_of(name) or NONE
            if len(suffix) > _MAX_LENGTH or not suffix.isprintable():
                suffix = OTHER
            if suffix not in self.suffixes and len(self.suffixes) >= _MAX_KINDS:
                suffix = OTHER
            self.suffixes[suffix] += 1
        found = sorted(filter(_IDX_IMAGES.search, names))
        self.idx_files += [prefix + name for name in found[: _MAX_KINDS - len(self.idx_files)]]

    def by_suffix(self) -> dict[str, int]:
        """The suffixes with their numbers, the most frequent first."""
        return dict(sorted(self.suffixes.items(), key=lambda item: (-item[1], item[0])))


def describe_suffixes(skipped: Skipped) -> str:
    """What was skipped for its suffix, for people: `3 .pdf, 1 .svg, 1 without suffix`; empty if nothing was."""
    words = {NONE: "without suffix", OTHER: "with other suffixes"}
    parts = [f"{count:,} {words.get(suffix, suffix)}" for suffix, count in skipped.by_suffix().items()]
    more = sum(list(skipped.by_suffix().values())[_MAX_SHOWN:])
    return ", ".join([*parts[:_MAX_SHOWN], *([f"{more:,} more"] if more else [])])


def describe_skipped(skipped: Skipped) -> str:
    """All that was skipped, for people; empty if nothing was."""
    reasons = sorted((reason, count) for reason, count in skipped.reasons.items() if reason != "other_suffix")
    parts = [describe_suffixes(skipped), *(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons)]
    return ", ".join(filter(None, parts))
