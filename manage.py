#!/usr/bin/env python
"""The shop's command line; `manage.py help` lists what it can do."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except (OperationalError, ProgrammingError) as error:
        # 1 would say that the command has found something wrong in the shop
        if "--traceback" in sys.argv:
            raise
        why, _, _ = str(error).strip().partition("\n")
        print(
            f"The database of DATABASE_URL refuses: {why}\n"
            "Is it there, and has `manage.py migrate` run? `--traceback` shows where it happened.",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
