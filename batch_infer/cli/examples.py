"""The help text of a command: one sentence, then examples."""


def with_examples(sentence: str, *examples: tuple[str, str]) -> str:
    """Put examples (command, what it does) below a sentence, one per line.

    For a help of 80 columns a line must not have more than 78 characters.
    """
    width = max(len(command) for command, _ in examples)
    lines = [f"{command:{width}}  {does}" for command, does in examples]
    return "\n".join([sentence, "", "\b", *lines])  # \b: Typer shall not join these lines
