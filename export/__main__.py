"""python -m export: the same as the command export, which a shell takes for its own builtin; and export-onnx."""

from batch_infer.entry import leave_working_folder, require_supported_system


def main() -> None:
    """Run the command `export` as a process."""
    require_supported_system("export")
    from export.cli import main as run

    run()


def onnx_main() -> None:
    """Run the command `export-onnx` as a process."""
    require_supported_system("export-onnx")
    from export.cli import onnx_main as run

    run()


if __name__ == "__main__":
    leave_working_folder(__file__)
    main()
