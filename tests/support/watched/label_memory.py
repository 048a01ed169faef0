"""Prints how many bytes of memory at most it takes to attach the labels of a table of N rows; N is the argument."""

import sys
import tracemalloc
from pathlib import Path

from batch_infer.inputs.inventory import FileGroup, Inventory
from batch_infer.inputs.labels.attach import attach_labels

count = int(sys.argv[1])
names = [f"{number:07}.png" for number in range(count)]
with open("labels.csv", "w", encoding="utf-8") as file:
    file.write("path,label\n")
    file.writelines(f"in/{name},7\n" for name in names)
inventory = Inventory([FileGroup("in/", names)])
tracemalloc.start()
attach_labels(inventory, "labels.csv", print)
print(tracemalloc.get_traced_memory()[1])
Path("labels.csv").unlink()
