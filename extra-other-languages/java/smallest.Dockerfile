FROM --platform=$BUILDPLATFORM maven:3-eclipse-temurin-25 AS builder
WORKDIR /src
COPY pom.xml ./
COPY src src
RUN --mount=type=cache,target=/root/.m2 mvn --batch-mode package
RUN jdeps --print-module-deps target/service.jar > modules

FROM maven:3-eclipse-temurin-25 AS runtime
COPY --from=builder /src/modules /
# Compressed on disk too: in transfer, every layer is.
RUN jlink --add-modules "$(cat /modules)" --strip-debug --compress=zip-9 \
    --no-header-files --no-man-pages --output /runtime/opt/java
# The C library, its loader, and what else Java is linked to, where they lie here.
RUN find /runtime -type f \( -name '*.so' -o -name java \) -exec ldd '{}' + > /linked \
    && sed -ni 's,^\t\(.* => \)\?\(/lib[^ ]*\) .*,\2,p' /linked \
    && sort -uo /linked /linked \
    && xargs -a /linked cp --dereference --parents --target-directory /runtime

FROM scratch
COPY --from=runtime /runtime /
ENV PATH=/opt/java/bin
WORKDIR /app
COPY --from=builder /src/target/service.jar ./

USER 10001

EXPOSE 8000
# Here is no shell. Another Java asks, less often.
HEALTHCHECK --interval=60s --timeout=5s --start-period=30s --start-interval=1s \
  CMD ["java", "-cp", "service.jar", "Service", "--health"]
CMD ["java", "-cp", "service.jar", "Service"]
