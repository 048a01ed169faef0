"""Import the package and, if there are arguments, run the command with them; print which libraries were loaded."""

import sys

WATCHED = {
    "PIL.Image",
    "torch",
    "torchvision",
    "onnx",
    "onnxscript",
    "matplotlib",
    "pandas",
    "onnxruntime",
    "rich",
    "cv2",
    "jinja2",
}


def main() -> None:
    """Print which of the late libraries were loaded, after whatever the command prints."""
    import batch_infer  # noqa: F401

    if sys.argv[1:]:
        from batch_infer.cli.main import main as command

        try:
            command()
        except SystemExit as end:
            if end.code:
                raise
    print("loaded", *sorted(WATCHED & set(sys.modules)))


if __name__ == "__main__":
    main()
