from catalog import models
from catalog.feeds import records


def test_a_reader_knows_the_limits_of_the_catalogue() -> None:
    for limit in ("TITLE_LENGTH", "AUTHOR_LENGTH", "PUBLISHER_LENGTH", "DESCRIPTION_LENGTH", "MAX_PRICE"):
        assert getattr(records, limit) == getattr(models, limit)
