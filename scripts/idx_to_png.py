"""Convert an IDX image file to PNG files, one folder for each label."""

import argparse
import os

from PIL import Image

from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("idx", help="IDX image file with its label file beside it (…-labels-idx1-ubyte)")
    parser.add_argument("folder", help="folder to write to: FOLDER/<label>/<index>.png")
    parser.add_argument("--count", type=int, metavar="N", help="convert only the first N images")
    options = parser.parse_args()
    images = IdxImages(options.idx).read_all()
    labels = read_labels(options.idx.replace("images-idx3", "labels-idx1"), len(images))
    for label in range(10):
        os.makedirs(os.path.join(options.folder, str(label)), exist_ok=True)
    count = len(images) if options.count is None else options.count
    for index, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
        Image.fromarray(image).save(os.path.join(options.folder, str(label), f"{index:05d}.png"))
    print(f"{min(count, len(images)):,} images in {options.folder}")


if __name__ == "__main__":
    main()
