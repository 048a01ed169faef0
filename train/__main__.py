"""python -m train: the same as the command train."""

from train.cli import main

if __name__ == "__main__":
    main()
