# The smallest Django around hook.py; your project has all of it already.
#   SHOP_TOKEN=secret INBOX=inbox.db python3 shop.py runserver --noreload 3000
import os
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="of this example",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("INBOX", "inbox.db"), "OPTIONS": {"timeout": 20}}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.urls import path

import hook

if not os.environ.get("SHOP_TOKEN"):
    sys.exit("SHOP_TOKEN is empty")


def cart(request):
    return HttpResponse(f'<form method="post" action="/buy"><input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"><button>Buy</button></form>')


urlpatterns = [
    path("", cart),
    path("buy", hook.buy),
    path("hook", hook.hook),
    path("signed", hook.signed_hook),
]

for model in hook.Inbox, hook.Fulfilled, hook.Credited:  # your project has migrations
    if model._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as schema:
            schema.create_model(model)

execute_from_command_line()
