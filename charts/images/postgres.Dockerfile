# PostgreSQL with the extension; CREATE EXTENSION reasoning_graph does the rest. It is laid over an image that has
# PostgreSQL 15 on Debian 12 already: Docker's own, or CloudNativePG's, which runs as user 26.
#   docker build -f charts/images/postgres.Dockerfile -t reasoning-graph/postgres:15 .
#   docker build -f charts/images/postgres.Dockerfile -t reasoning-graph/postgres:15-cnpg \
#       --build-arg BASE=ghcr.io/cloudnative-pg/postgresql:15-bookworm --build-arg RUN_AS=26 .
ARG BASE=postgres:15-bookworm
FROM ${BASE} AS build
USER 0
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-server-dev-15 libsodium-dev libssl-dev gcc libc6-dev make
COPY extension /src/extension
COPY sql /src/sql
RUN make -C /src/extension install DESTDIR=/out

FROM ${BASE}
ARG SOURCE_DATE_EPOCH
ARG RUN_AS=0
USER 0
RUN apt-get update && apt-get install -y --no-install-recommends libsodium23 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build /out/ /
USER ${RUN_AS}
CMD ["postgres", "-c", "shared_preload_libraries=reasoning_graph"]
