"""What to do about the inputs that could not be read: one sentence for each error code."""

from typing import Final

ADVICE: Final = {
    "not_an_image": "Not a picture in a format that is read; see what it is, and convert or remove it.",
    "truncated": "The file ends too early; copy or download it again.",
    "too_large": "The file or picture is larger than the limits, or needs more memory than there is; make it smaller.",
    "empty": "The file has 0 bytes; copy or download it again.",
    "unreadable": "The file is damaged, or uses a feature that is not read; save it as PNG in an image program.",
    "vanished": "The file was deleted or renamed during the run; start the run when the files are complete.",
    "not_regular": "A folder, device or pipe, or a link that leads out of the INPUT; copy the file itself there.",
    "no_permission": "The user of this run may not read the file; change its permissions: chmod a+r.",
    "wrong_shape": "Not the shape of one picture; reshape rows of 784 pixels to 28×28, or run with --fit auto.",
    "damaged_idx": "The file of many images does not hold what it declares; copy or download it again.",
    "non_finite": "There are NaN or infinite values among the pixels; fix the program that wrote them.",
    "no_digit": "Nothing stands out of the background: an empty field, or too faint an ink; scan that again, darker.",
    "internal_error": "A bug of ours; please report the line that the run printed on stderr, with the file.",
    "several_digits": "More than one digit stands in the picture; cut it into pictures of one digit each.",
}
