"""Load each of the given run folders, and print a line for each: `ok`, or the ModelError's text."""

import sys

from batch_infer.errors import ModelError
from train import load_run

for folder in sys.argv[1:]:
    try:
        load_run(folder)
        print("ok")
    except ModelError as error:
        print(error)
