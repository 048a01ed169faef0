"""Gray printed as a pattern of dots: averaged, as the eye does it."""

import cv2
import numpy as np

from batch_infer.normalization.image_ops import Grey, extremes, has_few_pixels

DOTS = 0.2  # of the pixels beside each other are on two sides of the middle gray: no writing has so many edges
SIGMA = 2.0  # px; of the blur: a pattern that is 4 px wide leaves a hundredth of itself


def without_halftone(image: Grey) -> Grey:
    """Average the dots of an (H, W) uint8 picture that is made of them; other pictures are returned as they are."""
    if has_few_pixels(image):
        return image
    low, high = extremes(image)
    light = image > (low + high) // 2
    if np.count_nonzero(light[:, 1:] != light[:, :-1]) < DOTS * image.size:
        return image
    blurred: Grey = cv2.GaussianBlur(image, (0, 0), SIGMA).view(np.uint8)
    return blurred
