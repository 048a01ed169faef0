"""Says what a caller gave where an array was expected, and how to make one of it."""

import os


def describe_given(value: object) -> str:
    """Describe a value that is no NumPy array, with a hint how to make one of it."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
    if isinstance(value, str | bytes | os.PathLike):
        return f"{name} {value!r} (for files: run_job([path]), or numpy.asarray(PIL.Image.open(path).convert('L')))"
    if isinstance(value, list | tuple):
        return f"a {name} of {len(value)} (make it an array: numpy.stack(…))"
    if kind.__module__.startswith("PIL."):
        return f"{name} (make it an array: numpy.asarray(image.convert('L')))"
    if kind.__module__.startswith("torch"):
        return f"{name} (make it an array: tensor.numpy())"
    return name
