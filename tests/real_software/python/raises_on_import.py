"""A handler module that fails while it is loaded."""

import os

TABLE = os.environ["ORDERS_TABLE"]


def handler(_event, _context):
    return TABLE
