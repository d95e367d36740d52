"""Every address of the site; probes are answered before, by `middleware.ProbeMiddleware`."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from bookshelf_site import problems, views
from bookshelf_site.api import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", api.urls),
    re_path(r"^api(?:/[\s\S]*)?\Z", problems.nowhere),
    path("", views.landing, name="landing"),
    path("docs/problems/", views.problems, name="problems"),
    path("docs/problems/<slug:code>", views.problem, name="problem"),
    path("", include("orders.urls")),
    path("admin/", include("bookshelf_site.staff.urls")),
    path("admin/", admin.site.urls),
]

handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
