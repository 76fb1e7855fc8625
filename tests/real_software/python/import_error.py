"""A handler module that needs a package which was not deployed."""

import psycopg2  # noqa: F401


def handler(_event, _context):
    return "ok"
