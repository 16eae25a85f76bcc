# Hubherald in a container: `docker compose up` builds it. What is compiled is compiled here and
# left behind; the image has Python, the locked packages, and Hubherald under /opt/hubherald.
FROM python:3.13.14-slim-bookworm AS builder
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Nothing is built in isolation: what builds the packages is locked, with hashes, like the packages.
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /build \
 && /build/bin/python -m pip install --quiet --require-hashes -r requirements-build.lock
# durable_rules throws CFLAGS away but heeds these; the Makefile says more.
ENV CPPFLAGS="-O2 -DPyEval_CallObject=PyObject_CallObject"
RUN /build/bin/python -m pip wheel --quiet --require-hashes --no-build-isolation --wheel-dir /wheels -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY router router
COPY adapters adapters
COPY rules rules
COPY deploy/hubherald.service deploy/hubherald.service
RUN /build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels .
# without pip: nothing is installed later
RUN python -m venv --without-pip /opt/hubherald \
 && /build/bin/python -m pip --python /opt/hubherald/bin/python install --quiet --no-index --no-deps /wheels/*.whl

FROM python:3.13.14-slim-bookworm
# A fixed number, for those who give folders and keys to it.
RUN groupadd --gid 10001 hubherald \
 && useradd --uid 10001 --gid hubherald --home-dir /var/lib/hubherald --no-create-home --no-log-init --shell /usr/sbin/nologin hubherald \
 && install --directory --owner=hubherald --group=hubherald --mode=0750 /var/lib/hubherald
COPY --from=builder /opt/hubherald /opt/hubherald
ENV PATH="/opt/hubherald/bin:$PATH" \
    HUBHERALD_CONFIG=/etc/hubherald/hubherald.yaml \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/hubherald
# The ledger. Nothing else is written: the root may be read-only.
VOLUME /var/lib/hubherald
EXPOSE 9464
# drains for up to 35 s: give it 40 (docker stop --time 40)
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import ssl; from urllib.request import urlopen; urlopen('https://127.0.0.1:9464/-/healthy', timeout=4, context=ssl._create_unverified_context())"]
ENTRYPOINT ["hubherald"]
CMD ["run"]
