"""Run the command with a limit of 8 s, instead of 30, for what a model may compute before it is trusted."""

from batch_infer.__main__ import main
from batch_infer.classifier import protection

if __name__ == "__main__":
    protection.SECONDS = 8  # type: ignore[misc]
    main()
