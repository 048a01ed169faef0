"""python -m export: the same as the command export, which a shell takes for its own builtin."""

from export.cli import main

if __name__ == "__main__":
    main()
