# docker build --build-arg VERSION="$(bash tools/version.sh)" -t rekindle .      (make image does it)
# docker run -p 127.0.0.1:8080:8080 -v rekindle:/data --stop-timeout 120 rekindle
#
# Every setting is in the environment, so that `-e REKINDLE_LISTEN=...` changes it and `docker run rekindle serve --store ...` changes only
# the store. docs/running.md says how applications outside reach the nodes; deploy/ has files for Compose and Kubernetes.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=1 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/rekindle ./cmd/rekindle

FROM debian:bookworm-slim
# Debian's packages of the engines to launch. Valkey is in the backports: --build-arg ENGINES="redis-server valkey-server memcached"
ARG ENGINES="redis-server memcached"
RUN sed -i 's/bookworm-updates/& bookworm-backports/' /etc/apt/sources.list.d/debian.sources \
 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tini tzdata ${ENGINES} \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 rekindle \
 && useradd --system --uid 10001 --gid rekindle --home-dir /data --no-create-home --shell /usr/sbin/nologin rekindle \
 && install -d -o rekindle -g rekindle -m 0700 /data
COPY --from=build /out/rekindle /usr/local/bin/rekindle
# The nodes run inside the container and end with it: on a stop the console lets them save first, which the stop timeout is for.
ENV REKINDLE_LISTEN=0.0.0.0:8080 REKINDLE_DATA=/data REKINDLE_STOP_NODES=true

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["rekindle", "health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rekindle"]
CMD ["serve"]
