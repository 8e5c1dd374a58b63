"""Both versions of the store: the path of the process says which one it is, `STORE_DATABASE` where it works."""

import os

SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "store"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "USER": "shop",
        "NAME": os.environ["STORE_DATABASE"],
        "OPTIONS": {
            "application_name": os.environ["STORE_APPLICATION"],
            # Parameters by the extended protocol, or put into the text of the statement, as Django does unless told.
            "server_side_binding": os.environ.get("STORE_BINDING") == "server",
        },
    }
}
