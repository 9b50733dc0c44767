# syntax=docker/dockerfile:1
# The gateway alone, on a base without a shell or a package manager, and not as root.
#
#   docker build --tag registry.example/throughline:0.1.0 .
#
# Your own maps: a Dockerfile with `FROM` this image and `COPY mappings /usr/share/throughline/mappings`.

# The version is that of rust-toolchain.toml, the system that of the base below (glibc 2.36).
FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY src src
# Some of its tables are compiled in.
COPY mappings mappings
# The typed FHIR model takes minutes and 4 GB of memory to compile; its build is kept between builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin throughline \
 && install -D --strip target/release/throughline /out/usr/local/bin/throughline \
 && install -d /data /out/usr/share/throughline \
 && cp -r mappings /out/usr/share/throughline/
COPY LICENSE /out/usr/share/doc/throughline/LICENSE

# glibc, libgcc, the authorities that TLS trusts, and the user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out /
COPY --from=build --chown=65532:65532 /data /var/lib/throughline
ENV THROUGHLINE_DATA=/var/lib/throughline \
    THROUGHLINE_MAPPINGS=/usr/share/throughline/mappings
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/usr/local/bin/throughline"]
CMD ["serve", "--config", "/etc/throughline/throughline.toml"]
