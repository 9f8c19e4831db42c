import logging


def main(entry: str):
    logging.info(entry)
