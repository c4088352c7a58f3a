# The same from Caddy's own images, where Docker may download: xcaddy builds Caddy
# with the plugin, and whatever other plugins you add.
FROM caddy:2-builder AS builder
# The image keeps to its own Go; the plugin's go.mod may ask for a later one.
ENV GOTOOLCHAIN=auto
RUN xcaddy build --with github.com/seed-338f6760/caddy-ccpayment

FROM caddy:2
COPY --from=builder /usr/bin/caddy /usr/bin/caddy
RUN chown -R 65532:65532 /data /config
VOLUME /data
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s CMD ["/usr/bin/caddy", "ccpayment", "status"]
ENTRYPOINT ["/usr/bin/caddy"]
CMD ["run", "--config", "/etc/caddy/Caddyfile"]
