# nginx with the module. `make images` builds it, and says what is in it; with a container engine:
#   docker build -f charts/images/gateway.Dockerfile -t reasoning-graph/gateway:0.1.0 .
ARG BASE=debian:12-slim
FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends nginx-dev libpq-dev libssl-dev libpcre2-dev zlib1g-dev gcc libc6-dev make
COPY gateway /src/gateway
# the version, and which versions of the schema fit it
COPY extension /src/extension
RUN make -C /src/gateway install DESTDIR=/out

FROM ${BASE}
ARG SOURCE_DATE_EPOCH
RUN apt-get update && apt-get install -y --no-install-recommends nginx libpq5 ca-certificates && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build /out/ /
# nginx writes here and nowhere else; a volume may lie over it, empty.
RUN mkdir -p /run/reason && chown 10001:10001 /run/reason
USER 10001:10001
EXPOSE 8443 8080
# SIGTERM would cut off requests that are on their way.
STOPSIGNAL SIGQUIT
CMD ["nginx", "-p", "/run/reason", "-c", "/etc/reason/gateway/nginx.conf", "-e", "stderr", "-g", "daemon off;"]
