"""Every setting of the shop; what differs from shop to shop comes from the environment (docs/operations.md)."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from bookshelf_site import environment, languages, logs

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / "var"

# The shop

SHOP_NAME = environment.text("SHOP_NAME", "Bookshelf")
SHOP_CONTACT = environment.text("SHOP_CONTACT")
STAFF_EMAIL = environment.mailbox("STAFF_EMAIL")
SHOP_CURRENCY = environment.matching(
    "SHOP_CURRENCY", r"[A-Z]{3}", "a currency's three-letter code, such as EUR", default="USD"
)
OPENING_STOCK = environment.whole_number("OPENING_STOCK", 10)
LOW_STOCK_THRESHOLD = environment.whole_number("LOW_STOCK_THRESHOLD", 3)
PENDING_ORDER_HOURS = environment.whole_number("PENDING_ORDER_HOURS", 72)
API_RATE_LIMIT = environment.matching(
    "API_RATE_LIMIT",
    r"([1-9][0-9]{0,8}/[smhd])?",
    "a number per s, m, h or d, such as 6000/m, or empty",
    default="6000/m",
)
WEBHOOKS_ALLOW_PRIVATE = environment.flag("WEBHOOKS_ALLOW_PRIVATE")

# The event core

EVENTS_ENGINE = environment.one_of("EVENTS_ENGINE", ["inline", "relay", "celery"])
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL")
if EVENTS_ENGINE == "celery" and not CELERY_BROKER_URL:
    raise ImproperlyConfigured(
        "EVENTS_ENGINE is 'celery', so CELERY_BROKER_URL must say where the broker is, such as amqp://HOST."
    )

# Who may talk to the site, and how

DEBUG = environment.flag("DEBUG")
SECRET_KEY = environment.text("SECRET_KEY", "for-development-only" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: set it to a long random string that you keep to yourself, or DEBUG=1 for development."
    )

PORT = environment.whole_number("PORT", 8000, least=1, most=65535)
PUBLIC_URL = environment.site_url("PUBLIC_URL", f"http://127.0.0.1:{PORT}")
_public = urlsplit(PUBLIC_URL)
_host = _public.hostname or ""
_local_hosts = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS") or (
    _local_hosts if _host in {"127.0.0.1", "localhost", "::1"} else [_host]
)
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")

_https = _public.scheme == "https"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
# To enter the browsers' built-in list is the owner's decision about a whole domain, and hard to take back.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
# bookshelf_site.middleware drops the header unless a trusted proxy has sent it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# Of everything but files, which go to the disk; how long those may be is said by the first handler.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "bookshelf_site.uploads.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]

# Five wrong passwords for one name from one address, and that pair has to wait; others of that name or address don't.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# Whoever tries on meanwhile waits no longer for it: so the time that was named stays true.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "bookshelf_site.staff.throttle.client_address"
AXES_LOCKOUT_CALLABLE = "bookshelf_site.staff.throttle.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "password", "code", "csrfmiddlewaretoken"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
OTP_TOTP_ISSUER = SHOP_NAME
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# What it is made of

INSTALLED_APPS = [
    "bookshelf_site.admin.BookshelfAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "csp",
    "ninja",
    "import_export",
    "bookshelf_site",
    "bookshelf_site.events",
    "bookshelf_site.access",
    "bookshelf_site.webhooks",
    "bookshelf_site.staff",
    "catalog",
    "orders",
    "inventory",
]

MIDDLEWARE = [
    "bookshelf_site.middleware.HeadMiddleware",
    "bookshelf_site.middleware.ProbeMiddleware",
    "bookshelf_site.middleware.TrustedProxyMiddleware",
    "bookshelf_site.middleware.RequestContextMiddleware",
    "bookshelf_site.middleware.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "bookshelf_site.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "bookshelf_site.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "bookshelf_site.urls"
WSGI_APPLICATION = "bookshelf_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bookshelf_site.views.shop",
            ],
        },
    },
]

if not environment.text("DATABASE_URL"):
    STATE_DIR.mkdir(mode=0o700, exist_ok=True)
DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{STATE_DIR / 'bookshelf.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
# Served as they are, at the root: favicon.ico, robots.txt.
WHITENOISE_ROOT = BASE_DIR / "public"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Languages and time

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
# A further language is one more catalogue: manage.py makemessages es
LANGUAGES = languages.spoken(LOCALE_PATHS[0])
languages.compile_stale(LOCALE_PATHS[0])
USE_TZ = True
TIME_ZONE = environment.time_zone("TIME_ZONE", "UTC")

# Mail

DEFAULT_FROM_EMAIL = environment.sender("DEFAULT_FROM_EMAIL", "bookshelf@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10
globals().update(environment.mail("EMAIL_URL"))

# Logs

LOG_FORMAT = environment.one_of("LOG_FORMAT", ["console", "json"])
LOGGING = logs.configuration(LOG_FORMAT)
LOGGING_CONFIG = "bookshelf_site.logs.configure"
