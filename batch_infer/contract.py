"""The contract between exporter and runner, and the codes in the predictions: names, shapes, versions."""

from typing import Final

IMAGE_SIZE: Final = 28
CLASSES: Final = 10

INPUT_NAME: Final = "images"  # uint8 [batch, 28, 28], light ink on dark
LOGITS_NAME: Final = "logits"  # float32 [batch, 10]
PROBABILITIES_NAME: Final = "probabilities"  # float32 [batch, 10], rows sum to 1

SCHEMA_VERSION: Final = 1  # of the model's metadata; incremented when an older runner could misread it

# Incremented whenever decoding or normalization gives a different picture than before: --incremental then does not
# reuse the results of earlier versions.
NORMALIZATION_VERSION: Final = 3

# Every call of the model has this many rows (the tail is padded): the last bits of a matrix product change with
# the number of rows, so a fixed number makes a prediction independent of the other images in its batch.
MODEL_BATCH: Final = 256

# Probabilities are rounded once to whole parts per million (ppm); all that is compared, counted or printed uses these.
MILLION: Final = 1_000_000

DOUBTFUL_PPM: Final = 890_000  # the confidence is at most this where other digits may stand in the picture

OK: Final = "ok"
LOW_CONFIDENCE: Final = "low_confidence"
ERROR: Final = "error"
STATUSES: Final = (OK, LOW_CONFIDENCE, ERROR)

UNKNOWN: Final = -1  # an unknown label, or no prediction

INTERNAL_ERROR: Final = "internal_error"  # a bug of ours: it still becomes a row, and a line asks to report it

# The closed list of what can be wrong with one input. New codes go at the end: their positions are stored in files.
ERROR_CODES: Final = (
    "not_an_image",
    "truncated",
    "too_large",
    "empty",
    "unreadable",
    "vanished",
    "not_regular",
    "no_permission",
    "wrong_shape",
    "damaged_idx",
    "non_finite",
    "no_digit",
    INTERNAL_ERROR,
    "several_digits",
)

COLUMNS: Final = ("path", "index", "label", "prediction", "confidence", "status", "error")
PROBABILITY_COLUMNS: Final = tuple(f"prob_{digit}" for digit in range(CLASSES))
MISTAKES_COLUMNS: Final = ("path", "index", "label", "prediction", "confidence")
