"""python -m batch_infer: the same as the command batch-infer."""

try:
    from batch_infer.cli.start import start
except KeyboardInterrupt:  # in the millisecond or two before it is handled there
    from batch_infer.cli.start import exit_interrupted

    exit_interrupted("batch-infer")


def main() -> None:
    """Run the command as a process."""
    start("batch-infer", "batch_infer.cli.main")


if __name__ == "__main__":
    main()
