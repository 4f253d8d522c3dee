"""What AmigoCloud is made of, for real: Django, Django REST framework's pages, and the views of django-chunked-upload.

``python django_app.py FOLDER`` keeps its database and files in a folder, and prints its port.
"""
import datetime
import json
import os
import socketserver
import sys
import threading
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.utils import translation

# django-chunked-upload 2.0 names what Django 4 has dropped.
translation.ugettext = translation.gettext

FOLDER = sys.argv[1]

settings.configure(
    ALLOWED_HOSTS=['*'],
    CHUNKED_UPLOAD_PATH='uploads',
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.join(FOLDER, 'db.sqlite3'),
                           'OPTIONS': {'timeout': 20}}},
    DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions', 'chunked_upload'],
    LOGGING_CONFIG=None,
    MEDIA_ROOT=FOLDER,
    MIDDLEWARE=['django.contrib.sessions.middleware.SessionMiddleware', 'django.middleware.common.CommonMiddleware',
                'django.middleware.csrf.CsrfViewMiddleware', 'django.contrib.auth.middleware.AuthenticationMiddleware'],
    PASSWORD_HASHERS=['django.contrib.auth.hashers.MD5PasswordHasher'],
    REST_FRAMEWORK={'DEFAULT_RENDERER_CLASSES': ['rest_framework.renderers.JSONRenderer']},
    ROOT_URLCONF=__name__,
    SECRET_KEY='for tests',
    USE_TZ=True,
)
django.setup()

from chunked_upload.models import ChunkedUpload
from chunked_upload.views import ChunkedUploadCompleteView, ChunkedUploadView
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse, QueryDict
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.generics import ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView

TOKEN, ROWS = 'T0ken', 120

imports, failed = [], set()


class Token(BaseAuthentication):
    def authenticate(self, request):
        return (User.objects.get(pk=1), None) if request.GET.get('token') == TOKEN else None


class Private:
    # As the service: who sends a session cookie is asked for the token against CSRF, too.
    authentication_classes = [SessionAuthentication, Token]
    permission_classes = [IsAuthenticated]


class Me(Private, APIView):
    def get(self, request):
        login(request._request, request.user, backend='django.contrib.auth.backends.ModelBackend')
        get_token(request)
        return Response({'id': request.user.pk})


class Pages(LimitOffsetPagination):
    default_limit, max_limit = 50, 100


class RowSerializer(ModelSerializer):
    class Meta:
        model = User
        fields = ['id', 'username']


class Rows(Private, ListAPIView):
    """The query says which page fails the first time, and how: ``fail=OFFSET&status=STATUS&try=NAME``."""

    queryset, serializer_class, pagination_class = User.objects.order_by('id'), RowSerializer, Pages

    def get(self, request):
        name = request.GET.get('try')
        if name and request.GET['fail'] == request.GET.get('offset') and name not in failed:
            failed.add(name)
            error = APIException('busy')
            error.status_code = int(request.GET['status'])
            raise error
        return super().get(request)

    def post(self, request):
        return Response(request.data, status=201)


class OfUser:
    """The token of the query says whose upload it is."""

    def check_permissions(self, request):
        if request.GET.get('token') == TOKEN:
            request.user = User.objects.get(pk=1)
        super().check_permissions(request)


class Chunk(OfUser, ChunkedUploadView):
    field_name = 'datafile'


class Completion(OfUser, ChunkedUploadCompleteView):
    """The service takes JSON and starts a job, which the views of the package leave to the one who uses them."""

    def post(self, request):
        request.POST = QueryDict(urlencode(json.loads(request.body)))
        return super().post(request)

    def on_completion(self, uploaded_file, request):
        imports.append({'name': uploaded_file.name, 'content': uploaded_file.read().hex()})

    def get_response_data(self, chunked_upload, request):
        return {'job': 'J{}'.format(len(imports))}


def taken(request):
    """What was imported since the last time."""
    found = imports[:]
    del imports[:]
    return JsonResponse({'imports': found})


@csrf_exempt
def age(request):
    """Makes all uploads older than they may be, or with ``purge`` deletes them."""
    if 'purge' in request.GET:
        ChunkedUpload.objects.all().delete()
    ChunkedUpload.objects.update(created_on=datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc))
    return JsonResponse({})


urlpatterns = [
    path('api/v1/me', Me.as_view()),
    path('api/v1/rows', Rows.as_view()),
    path('api/v1/slash/', Rows.as_view()),
    path('api/v1/chunked', csrf_exempt(Chunk.as_view())),
    path('api/v1/chunked/complete', csrf_exempt(Completion.as_view())),
    path('api/v1/slashed/', csrf_exempt(Chunk.as_view())),
    path('taken', taken),
    path('age', age),
]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        """Nothing on stderr."""


if __name__ == '__main__':
    call_command('migrate', verbosity=0)
    User.objects.bulk_create(User(id=number, username='user{}'.format(number)) for number in range(1, ROWS + 1))
    server = Server(('127.0.0.1', 0), Handler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    # Until the one who started this is gone.
    sys.stdin.read()
