import pytest
from django.db import DatabaseError, transaction
from django.test import TransactionTestCase
from model_bakery import baker

from bookshelf_site.events.models import Event
from tests.plugins.pristine import teardown

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def event():
    return baker.make(Event)


def test_the_log_refuses_to_be_emptied(event):
    with pytest.raises(DatabaseError), transaction.atomic():
        Event.objects.all()._raw_delete("default")

    assert Event.objects.get() == event


def test_a_test_that_committed_leaves_an_empty_log(event):
    teardown(TransactionTestCase("run"))

    assert not Event.objects.exists()
