"""Run the command on thousands of damaged files; each that does not become one row is a finding.

    python scripts/fuzz.py [--minutes 10] [--rounds N] [--seed 0] [--keep DIR]

Each round makes its files from its own seed (--seed, then one more each time) and prints its result in one line.
Findings are saved in DIR (default fuzz-findings), each with a text that says what was wrong; exit 1 if there are any.
The same seed gives the same files with the same Pillow.
"""

import argparse
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from fuzzing.bases import FIVE, IDX, LABELS, ONE, PICTURES, Base
from fuzzing.mutations import mutated
from fuzzing.watch import Attack, Outcome, attack, narrowed

COUNT: Final = 400  # pictures a round
IDX_COUNT: Final = 40
LABELS_COUNT: Final = 2  # each is a run
UNTOUCHED: Final = 0.04  # of the pictures
# An IDX file of so many images, of no interest themselves, that the command starts workers.
MANY: Final = struct.pack(">4I", 0x803, 2100, 28, 28) + ONE * 2100


class Finding(NamedTuple):
    """Files, and what was not as promised."""

    seed: int
    names: list[str]
    problem: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=10, metavar="M", help="begin no round after so many minutes (default 10)"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="run N rounds, however long they take")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the first round (default 0)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for findings")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    files, findings, seed = 0, [], options.seed
    while seed < options.seed + options.rounds if options.rounds else time.monotonic() < end:
        count, found = fuzz(seed, options.keep)
        files += count
        findings += found
        seed += 1
    print(f"{files:,} files in {seed - options.seed} rounds; findings: {len(findings)}")
    for finding in findings:
        print(f"seed {finding.seed}, {', '.join(finding.names[:5])}: {finding.problem}")
    sys.exit(1 if findings else 0)


def fuzz(seed: int, keep: Path) -> tuple[int, list[Finding]]:
    """Do one round, print its line and save what it finds → how many files there were, and the findings."""
    began, count, findings = time.monotonic(), 0, []
    codes, counts, memory = [], Counter(), 0.0
    previous: Outcome | None = None
    for what, same_as_before in attacks(seed):
        names = list(what.files)
        outcome = attack(what, names)
        if same_as_before:
            outcome = compared(outcome, previous)
        else:
            count += len(names)
            counts += outcome.counts
        found = [Finding(seed, [name], problem) for name, problem in outcome.blamed.items()]
        if outcome.problems:
            guilty = narrowed(names, lambda some, what=what: bool(attack(what, some).problems))
            found.append(Finding(seed, guilty, "; ".join(outcome.problems)))
        for finding in found:
            save(finding, what, keep)
        findings += found
        previous = outcome
        codes.append(outcome.code)
        memory = max(memory, outcome.memory)
    kinds = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
    print(
        f"seed {seed}: {count} files, exit codes {' '.join(map(str, codes))}; {kinds}; "
        f"{memory:.0f} MB, {time.monotonic() - began:.1f} s, findings: {len(findings)}",
        flush=True,
    )
    return count, findings


def compared(outcome: Outcome, previous: Outcome | None) -> Outcome:
    """Blame the files whose rows are others than before; a run that failed as a whole says nothing of them."""
    if previous is None or previous.problems or outcome.problems:
        return outcome
    names = {*previous.rows, *outcome.rows}
    differing = sorted(name for name in names if outcome.rows.get(name) != previous.rows.get(name))
    blamed = {name: f"{outcome.rows.get(name)} with workers, {previous.rows.get(name)} without" for name in differing}
    return outcome._replace(blamed=blamed | outcome.blamed)


def attacks(seed: int) -> Iterator[tuple[Attack, bool]]:
    """The runs of one round, and whether each is the one before it done in another way, with the same rows."""
    rng = Random(seed)
    pictures = dict(many_mutated(PICTURES, COUNT, rng))
    yield Attack(pictures, lambda _: ["in", "--workers", "1"]), False
    yield Attack(pictures, lambda _: ["in", "many.idx", "--workers", "2"], beside={"many.idx": MANY}), True
    idx = dict(many_mutated({suffix: (base,) for suffix, base in IDX.items()}, IDX_COUNT, rng))
    idx_codes = frozenset({0, 3, 4})  # 4: there is not one image in all of them
    yield Attack(idx, lambda names: [f"in/{name}" for name in names] + ["--labels", "none"], idx_codes), False
    for name, content in many_mutated({suffix: (base,) for suffix, base in LABELS.items()}, LABELS_COUNT, rng):
        arguments = ["five.idx", "--labels", f"in/{name}"]
        yield (
            Attack({name: content}, lambda _, a=arguments: a, frozenset({0, 2}), {"five.idx": FIVE}, rows=False),
            False,
        )


def many_mutated(bases: dict[str, tuple[Base, ...]], count: int, rng: Random) -> Iterator[tuple[str, bytes]]:
    """Make mutated files: names and contents, in the order of the names."""
    for number in range(count):
        suffix = rng.choice(list(bases))
        base, other = rng.choice(bases[suffix]), rng.choice(bases[rng.choice((suffix, rng.choice(list(bases))))])
        content = base(rng)
        if rng.random() >= UNTOUCHED:
            content = mutated(content, other(rng), rng)
        yield f"{number:04}.{suffix}", content


def save(finding: Finding, what: Attack, keep: Path) -> None:
    """Write the files of a finding, and a text that says how to make them again and what was wrong."""
    folder = keep / f"seed-{finding.seed}-{finding.names[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in finding.names:
        (folder / name).write_bytes(what.files[name])
    command = " ".join(what.arguments(finding.names))
    text = f"python scripts/fuzz.py --rounds 1 --seed {finding.seed}\nbatch-infer {command}\n{finding.problem}\n"
    (folder / "finding.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
