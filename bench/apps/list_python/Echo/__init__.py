"""Does nothing, as fast as it can."""


def main(entry: str) -> None:
    len(entry)
