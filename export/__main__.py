"""python -m export: the same as the command export, which a shell takes for its own builtin."""

try:
    from batch_infer.cli.start import start
except KeyboardInterrupt:  # in the millisecond or two before it is handled there
    from batch_infer.cli.start import exit_interrupted

    exit_interrupted("export")


def main() -> None:
    """Run the command as a process."""
    start("export", "export.cli")


if __name__ == "__main__":
    main()
