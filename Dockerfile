# One image for every part of comity; the command says which: `issuer serve`, `issuer status-host`, `wallet serve`,
# `verifier serve`, `registry serve` … (see docker-compose.yml). Packages are installed at locked hashes only.
FROM python:3.12-slim AS build
WORKDIR /source
RUN python -m venv /opt/comity
COPY requirements/run.txt requirements/run.txt
RUN /opt/comity/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY comity comity
COPY issuer issuer
COPY wallet wallet
COPY verifier verifier
COPY schemas schemas
RUN /opt/comity/bin/python -m pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
 && /opt/comity/bin/python -m compileall -q -j 0 /opt/comity/lib

FROM python:3.12-slim
RUN groupadd --gid 10001 comity \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin comity \
 && install --directory --owner=comity --group=comity --mode=0700 /data /data/issuer /data/wallet /data/verifier \
    /data/status /data/registry /data/registry-keys
COPY --from=build /opt/comity /opt/comity
ENV PATH=/opt/comity/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEALTH_URL=http://localhost:8101/healthz
USER 10001:10001
WORKDIR /data
EXPOSE 8101 8102 8103 8104 8105
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["comity"]
CMD ["--help"]
