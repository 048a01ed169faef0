"""python -m batch_infer: the same as the command batch-infer."""

from batch_infer.cli.main import main

if __name__ == "__main__":
    main()
