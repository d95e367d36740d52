"""The addresses of the login; they stand before the admin's own, and take the place of its `login/`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from bookshelf_site.staff import views

urlpatterns = [
    path("login/", views.Login.as_view()),
    path("login/code/", views.Code.as_view(), name="login-code"),
    path("two-factor/", admin.site.admin_view(views.two_factor_page), name="two-factor"),
]
