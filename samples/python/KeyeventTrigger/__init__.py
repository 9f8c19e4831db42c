import logging


def main(message: str):
    logging.info(message)
