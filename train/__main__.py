"""python -m train: the same as the command train."""

from batch_infer.entry import leave_working_folder, require_supported_system


def main() -> None:
    """Run the command as a process."""
    require_supported_system("train")
    from train.cli import main as run

    run()


if __name__ == "__main__":
    leave_working_folder(__file__)
    main()
