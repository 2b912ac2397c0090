# Every image of Bongsu: docker build --build-arg SERVICE=auth .
# SERVICE is auth, notify, relay, dashboard, bot, sandbox or launcher (the `bongsu` command). An image holds the
# dependencies of its own member of the workspace, and of no other.
ARG SERVICE=launcher

FROM python:3.13-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# --- what is installed; its tools stay behind here --------------------------------------------------------------------
FROM base AS builder
ENV UV_PROJECT_ENVIRONMENT=/opt/bongsu \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY uv.lock pyproject.toml ./
# The same uv that the lock file names.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --quiet --disable-pip-version-check \
    "uv==$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)"
# uv reads the manifest of every member, whichever one is installed.
COPY shared/pyproject.toml shared/
COPY services/auth/pyproject.toml services/auth/
COPY services/notify/pyproject.toml services/notify/
COPY services/dashboard/pyproject.toml services/dashboard/
COPY services/bot/pyproject.toml services/bot/
COPY sandbox/pyproject.toml sandbox/
COPY launcher/pyproject.toml launcher/
COPY clients/python/pyproject.toml clients/python/
ARG SERVICE
# The dependencies first: this layer is kept when only our own code changes.
RUN --mount=type=cache,target=/root/.cache/uv \
    case "$SERVICE" in relay) package="bongsu --extra broker" ;; *) package=bongsu-$SERVICE ;; esac; \
    uv sync --quiet --frozen --no-dev --no-install-workspace --package $package
COPY shared/ shared/
COPY services/ services/
COPY sandbox/ sandbox/
COPY launcher/ launcher/
COPY clients/ clients/
RUN --mount=type=cache,target=/root/.cache/uv \
    case "$SERVICE" in relay) package="bongsu --extra broker" ;; *) package=bongsu-$SERVICE ;; esac; \
    uv sync --quiet --frozen --no-dev --no-editable --package $package

# --- what runs ----------------------------------------------------------------------------------------------------------
FROM base AS runtime
# The data folders belong to us: a new volume takes over the owner of the folder that it is mounted on.
RUN groupadd --gid 10001 bongsu \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bongsu \
    && install -d -o 10001 -g 10001 /data /credentials
COPY --from=builder /opt/bongsu /opt/bongsu
ENV PATH=/opt/bongsu/bin:$PATH \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --retries=3 --start-period=60s --start-interval=1s \
    CMD ["python", "-m", "bongsu.runtime.healthcheck"]

# No shell between the engine and the process: SIGTERM must arrive.
FROM runtime AS auth
CMD ["python", "-m", "bongsu_auth"]

FROM runtime AS notify
# The memory of a large mail is returned to the system when the mail is sent. By itself glibc keeps it: it raises both
# thresholds with each large block that is freed.
ENV MALLOC_MMAP_THRESHOLD_=131072 \
    MALLOC_TRIM_THRESHOLD_=131072
# The worker is the same image with another last word.
CMD ["python", "-m", "bongsu_notify", "api"]

FROM runtime AS relay
CMD ["python", "-m", "bongsu.outbox"]

FROM runtime AS dashboard
CMD ["python", "-m", "bongsu_dashboard"]

FROM runtime AS bot
CMD ["python", "-m", "bongsu_bot"]

FROM runtime AS sandbox
ENV SANDBOX_DATA_DIR=/data
CMD ["python", "-m", "bongsu_sandbox"]

FROM runtime AS launcher
HEALTHCHECK NONE
ENTRYPOINT ["bongsu"]
CMD ["--help"]

FROM ${SERVICE}
