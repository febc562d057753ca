# The container image for those who have Docker; `npm run build:image` makes the same without it.
#
#   docker build -t zot .
#   docker run --rm -p 127.0.0.1:5000:5000 -v zot:/var/lib/registry zot

FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && mkdir -p /out/var/lib/registry /out/etc/zot \
  && cp dist/zot /out/zot && cp examples/config-container.json /out/etc/zot/config.json

FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build /out/zot /usr/bin/zot
COPY --from=build /out/etc/zot/config.json /etc/zot/config.json
COPY --from=build --chown=65532:65532 /out/var/lib/registry /var/lib/registry
EXPOSE 5000
VOLUME ["/var/lib/registry"]
USER 65532:65532
ENTRYPOINT ["/usr/bin/zot"]
CMD ["serve", "/etc/zot/config.json"]
