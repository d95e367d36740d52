from contextlib import nullcontext

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import RequestFactory

from bookshelf_site.uploads import MEGABYTE, LimitedUpload
from catalog.models import FeedImport

pytestmark = pytest.mark.django_db

FEED, LIST = "/admin/catalog/feedimport/add/", "/admin/inventory/stockitem/stocktake/list/"


def a_file(size):
    return SimpleUploadedFile("feed.csv", b"isbn,title\n".ljust(size))


def test_a_feed_that_does_not_fit_into_memory_goes_to_the_disk():
    request = RequestFactory().post(FEED, {"feed": a_file(3 * MEGABYTE)})

    file = request.FILES["feed"]
    assert isinstance(file, TemporaryUploadedFile)
    file.close()


@pytest.mark.parametrize(
    ("path", "length", "may"),
    [
        (FEED, 205 * MEGABYTE, True),
        (FEED, 211 * MEGABYTE, False),
        (LIST, 3 * MEGABYTE, True),
        (LIST, 5 * MEGABYTE, False),
        ("/admin/catalog/book/add/", MEGABYTE, True),
        ("/admin/catalog/book/add/", 2 * MEGABYTE, False),
        ("/elsewhere" + FEED, 2 * MEGABYTE, False),
    ],
)
def test_each_door_has_its_measure(path, length, may):
    with nullcontext() if may else pytest.raises(RequestDataTooBig):
        LimitedUpload().handle_raw_input(None, {"PATH_INFO": path}, length, "")


@pytest.mark.parametrize("path", [FEED, "/admin/login/"])
def test_what_is_too_long_is_refused_by_what_it_says_of_itself(desk, path):
    """The body is short, so that nothing but its declared length can be the reason."""
    response = desk.post(path, {"feed": a_file(10)}, CONTENT_LENGTH=str(211 * MEGABYTE))

    assert response.status_code == 413
    assert b"too much at once" in response.content
    assert not FeedImport.objects.exists()


def test_a_body_of_the_api_stays_small(api):
    response = api.post("/books", "x" * (MEGABYTE + 1))

    assert response.status_code == 413
