# docker build -f charts/images/sidecar.Dockerfile -t reasoning-graph/sidecar:0.1.0 .
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make pkg-config libpq-dev libsodium-dev libssl-dev \
    libmicrohttpd-dev libcurl4-openssl-dev librdkafka-dev libjansson-dev libp11-kit-dev postgresql-server-dev-15
COPY extension /src/extension
COPY sidecar /src/sidecar
COPY gateway/reason-reload /src/gateway/
RUN make -C /src/sidecar install prefix=/usr DESTDIR=/out && make -C /src/sidecar/verify install prefix=/usr DESTDIR=/out

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libpq5 libsodium23 libssl3 libmicrohttpd12 libcurl4 librdkafka1 libjansson4 \
    ca-certificates postgresql-client && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
USER 10001:10001
EXPOSE 9464
CMD ["reason-sidecar", "/etc/reason/sidecar/reason-sidecar.conf"]
