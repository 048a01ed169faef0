"""python -m batch_infer: the same as the command batch-infer."""

from batch_infer.entry import leave_working_folder, require_supported_system


def main() -> None:
    """Run the command as a process."""
    require_supported_system("batch-infer")
    from batch_infer.cli.main import main as run

    run()


if __name__ == "__main__":
    leave_working_folder(__file__)
    main()
