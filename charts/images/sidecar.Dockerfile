# The sidecar, the verifier, reason-canary, reason-import, reason-migrate and what signs by PKCS#11. `make images` builds it; with a container engine:
#   docker build -f charts/images/sidecar.Dockerfile -t reasoning-graph/sidecar:0.1.0 .
ARG BASE=debian:12-slim
FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make pkg-config libpq-dev libsodium-dev libssl-dev \
    libmicrohttpd-dev libcurl4-openssl-dev librdkafka-dev libjansson-dev libp11-kit-dev postgresql-server-dev-15
COPY extension /src/extension
COPY sidecar /src/sidecar
COPY gateway/reason-reload /src/gateway/
RUN make -C /src/sidecar install prefix=/usr DESTDIR=/out && make -C /src/sidecar/verify install prefix=/usr DESTDIR=/out && \
    make -C /src/sidecar/approve install prefix=/usr DESTDIR=/out && \
    make -C /src/sidecar/canary install prefix=/usr DESTDIR=/out && \
    make -C /src/sidecar/import install prefix=/usr DESTDIR=/out

FROM ${BASE}
ARG SOURCE_DATE_EPOCH
# OpenSC is the PKCS#11 module of most tokens and cards, p11-kit reaches one in another container, SoftHSM is for trials.
RUN apt-get update && apt-get install -y --no-install-recommends libpq5 libsodium23 libssl3 libmicrohttpd12 libcurl4 librdkafka1 libjansson4 \
    p11-kit-modules opensc-pkcs11 softhsm2 ca-certificates postgresql-client && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build /out/ /
USER 10001:10001
EXPOSE 9464
CMD ["reason-sidecar", "/etc/reason/sidecar/reason-sidecar.conf"]
