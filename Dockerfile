# docker build --build-arg VERSION="$(bash tools/version.sh)" -t rekindle .      (make image does it)
# docker run -p 127.0.0.1:8080:8080 -v rekindle:/data --stop-timeout 120 rekindle
#
# The nodes that the console launches run inside the container and end with it; with REKINDLE_STOP_NODES the console lets them
# save first, which is what the stop timeout is for. Publish their ports as well if they are to be reached from outside.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=1 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/rekindle ./cmd/rekindle

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates memcached redis-server tini tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 rekindle \
 && useradd --system --uid 10001 --gid rekindle --home-dir /data --no-create-home --shell /usr/sbin/nologin rekindle \
 && install -d -o rekindle -g rekindle -m 0700 /data
COPY --from=build /out/rekindle /usr/local/bin/rekindle
ENV REKINDLE_STOP_NODES=true

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["rekindle", "health", "--url", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rekindle"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/data"]
