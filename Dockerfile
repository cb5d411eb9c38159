# The API, beat, Flower, and workers and trainers on CPUs.
FROM python:3.11.15-slim-bookworm AS python

# The locks alone: while they do not change, neither does this layer.
FROM python AS packages
COPY requirements.txt requirements/build.txt /tmp/
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-deps --require-hashes --requirement /tmp/build.txt \
 && /opt/venv/bin/pip install --no-deps --require-hashes --no-build-isolation --requirement /tmp/requirements.txt

FROM python
RUN groupadd --gid 10001 streaks \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/streaks streaks \
 && install -d -o streaks -g streaks \
      /etc/streaks/authority /etc/streaks/server /var/lib/streaks /var/lib/streaks/blobs /var/lib/streaks/certificates /var/lib/streaks/graphs
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/streaks
COPY . .
RUN chmod -R a+rX . && python -m compileall -q .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    DA_STATE_DIR=/var/lib/streaks
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "--factory", "api.main:create_app", "--http", "h11", "--loop", "uvloop", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-keep-alive", "120", "--timeout-graceful-shutdown", "20"]
