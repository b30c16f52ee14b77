# docker build -f charts/images/postgres.Dockerfile -t reasoning-graph/postgres:15 .
# PostgreSQL with the extension; CREATE EXTENSION reasoning_graph does the rest.
FROM postgres:15-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-server-dev-15 libsodium-dev libssl-dev gcc libc6-dev make
COPY extension /src/extension
COPY sql /src/sql
RUN make -C /src/extension install DESTDIR=/out

FROM postgres:15-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libsodium23 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
CMD ["postgres", "-c", "shared_preload_libraries=reasoning_graph"]
