import logging

import azure.functions as func


def main(event: func.EventGridEvent):
    total = event.get_json().get("total", 0)
    if total < 0:
        raise ValueError("a total of %d" % total)
    logging.info("%s: a total of %d", event.subject, total)
