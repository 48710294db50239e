# syntax=docker/dockerfile:1
# A Janus to try things with, from Debian: rooms of the VideoRoom plugin over HTTP and WebSocket. Not for production.
FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends janus curl tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10002 --user-group --no-create-home janus-rooms
# Debian's package has no file for the WebSocket transport.
RUN printf 'general: { json = "compact"\n ws = true\n ws_port = 8188\n wss = false }\nadmin: { admin_ws = false }\n' \
    > /etc/janus/janus.transport.websockets.jcfg
USER janus-rooms
EXPOSE 8088 8188
HEALTHCHECK --interval=10s --timeout=5s CMD ["curl", "-fsS", "http://127.0.0.1:8088/janus/info"]
ENTRYPOINT ["tini", "--", "janus", "-F", "/etc/janus", "--rtp-port-range=20000-20200"]
