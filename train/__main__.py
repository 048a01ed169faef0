"""python -m train: the same as the command train."""

try:
    from batch_infer.cli.start import start
except KeyboardInterrupt:  # in the millisecond or two before it is handled there
    from batch_infer.cli.start import exit_interrupted

    exit_interrupted("train")


def main() -> None:
    """Run the command as a process."""
    start("train", "train.cli")


if __name__ == "__main__":
    main()
