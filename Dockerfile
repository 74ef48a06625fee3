# Small, non-root, and content with a read-only root file system (a tmpfs at /tmp is all it writes to).
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /venv
COPY requirements/base.lock /tmp/base.lock
RUN /venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/base.lock

FROM python:3.13-slim AS demo-build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /venv
COPY requirements/demo.lock /tmp/demo.lock
RUN /venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/demo.lock

FROM python:3.13-slim AS app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/app/staticfiles
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent gatehouse
WORKDIR /app
COPY manage.py ./
COPY audit audit
COPY users users
COPY invitations invitations
COPY identity identity
COPY console console
COPY templates templates
COPY static static
# Whoever runs it may not write beside it, and each process would compile it again.
RUN python -m compileall -q --invalidation-mode unchecked-hash .

# The demo Okta of the dev profile. Never part of the product's image.
FROM app AS demo
COPY --from=demo-build /venv /venv
COPY demo demo
RUN mkdir /data && chown 10001 /data
USER 10001
CMD ["sh", "-c", "python -m demo.okta /data/okta 9000 & while [ ! -s /data/okta/client.json ]; do sleep 1; done; cat /data/okta/client.json; wait"]

FROM app AS product
COPY --from=build /venv /venv
# Collecting needs settings, but neither a database nor a secret that is ever used.
RUN GATEHOUSE_MODE=development DATABASE_URL=postgres://none REDIS_URL=redis://none STATICFILES_MANIFEST=true \
    python manage.py collectstatic --no-input
USER 10001
EXPOSE 8000
# Two processes of four threads: a sign-in waits for the provider, and waiting threads cost little.
CMD ["gunicorn", "console.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--worker-class", "gthread", \
     "--threads", "4", "--worker-tmp-dir", "/dev/shm", "--forwarded-allow-ips", "*", "--access-logfile", "/dev/null"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
