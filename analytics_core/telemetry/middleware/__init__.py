"""API calls recorded while they are answered, by one line in the product.

    app.add_middleware(ASGIApiCalls)                # FastAPI, Starlette
    app.wsgi_app = WSGIApiCalls(app.wsgi_app)       # Flask
    "analytics_core.telemetry.middleware.DjangoApiCalls"    # first of Django's MIDDLEWARE

No framework is imported here: what is known of one is read from what it leaves behind.
"""

from analytics_core.telemetry.middleware.asgi import ASGIApiCalls
from analytics_core.telemetry.middleware.django import DjangoApiCalls
from analytics_core.telemetry.middleware.wsgi import WSGIApiCalls

__all__ = ["ASGIApiCalls", "DjangoApiCalls", "WSGIApiCalls"]
