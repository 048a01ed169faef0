"""python -m train: the same as the command train."""

try:
    from batch_infer.cli.start import start
except KeyboardInterrupt:  # in the millisecond or two before it is answered there
    from batch_infer.cli.start import leave

    leave("train")


def main() -> None:
    """Run the command as a process."""
    start("train", "train.cli")


if __name__ == "__main__":
    main()
