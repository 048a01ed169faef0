"""What the exported graph and the predictions promise: names, shapes, codes. Shared by exporter and runner."""

from typing import Final

IMAGE_SIZE: Final = 28
CLASSES: Final = 10

INPUT_NAME: Final = "images"  # uint8 [batch, 28, 28], light ink on dark
LOGITS_NAME: Final = "logits"  # float32 [batch, 10]
PROBABILITIES_NAME: Final = "probabilities"  # float32 [batch, 10], rows sum to 1

SCHEMA_VERSION: Final = 1  # of the model's metadata; raised when an older runner could misread it

# Raised whenever decoding or normalization gives another picture than before: what earlier versions found is then not
# taken over by --incremental.
NORMALIZATION_VERSION: Final = 2

# Every call of the model has this many rows (the tail is padded): the last bits of a matrix product change with
# the number of rows, so a fixed number makes a prediction independent of what stands beside it.
MODEL_BATCH: Final = 256

# Probabilities become whole parts per million (ppm) once; whatever is compared, counted or printed derives from these.
MILLION: Final = 1_000_000

OK: Final = "ok"
LOW_CONFIDENCE: Final = "low_confidence"
ERROR: Final = "error"
STATUSES: Final = (OK, LOW_CONFIDENCE, ERROR)

UNKNOWN: Final = -1  # stands for a label that is not known, and for a prediction that there is not

INTERNAL_ERROR: Final = "internal_error"  # a bug of ours; a row all the same, and a line that asks to report it

# The closed list of what can be wrong with one input. New codes go to the end: their positions are kept in files.
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
)

COLUMNS: Final = ("path", "index", "label", "prediction", "confidence", "status", "error")
PROBABILITY_COLUMNS: Final = tuple(f"prob_{digit}" for digit in range(CLASSES))
MISTAKES_COLUMNS: Final = ("path", "index", "label", "prediction", "confidence")
