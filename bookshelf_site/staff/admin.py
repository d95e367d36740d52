"""The managers' door to who works here and what they may."""

from __future__ import annotations

from django.contrib import admin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

# Their own pages show secrets; here a lost device is removed on its user's page, and never looked at.
admin.site.unregister([StaticDevice, TOTPDevice])
