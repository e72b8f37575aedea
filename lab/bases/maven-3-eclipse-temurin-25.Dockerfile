# maven:3-eclipse-temurin-25: OpenJDK and Maven from Debian's packages, in the places where the official image has them.
FROM installer:trixie AS installer

FROM --platform=$BUILDPLATFORM debian:trixie AS debian-jdk
RUN apt-get update && apt-get install -y --no-install-recommends binutils openjdk-25-jdk-headless

# Debian's JDK links others from files (jmods), Temurin's from itself, because such files are a quarter of a JDK. Debian's
# can link one like Temurin's, for another processor too.
FROM debian-jdk AS jdk
ARG TARGETARCH
RUN dpkg --add-architecture $TARGETARCH && apt-get update && cd /tmp \
    && apt-get download openjdk-25-jdk-headless:$TARGETARCH && dpkg-deb -x openjdk-25-jdk-headless_*.deb /target \
    && jlink --module-path /target/usr/lib/jvm/java-25-openjdk-$TARGETARCH/jmods --add-modules ALL-MODULE-PATH \
        --generate-linkable-runtime --output /opt/java/openjdk

# Maven, and what `mvn package` fetches from Maven Central elsewhere: here it is found out by doing it once.
FROM debian-jdk AS maven
RUN apt-get install -y --no-install-recommends \
        libmaven-compiler-plugin-java libmaven-jar-plugin-java libmaven-resources-plugin-java libsurefire-java maven
COPY maven-repository.sh /usr/local/bin/
RUN maven-repository.sh

FROM debian:trixie-slim
LABEL org.opencontainers.image.description="Stand-in for maven:3-eclipse-temurin-25: Debian's OpenJDK and Maven"
ENV JAVA_HOME=/opt/java/openjdk
ENV PATH=$JAVA_HOME/bin:$PATH LANG=en_US.UTF-8 LANGUAGE=en_US:en LC_ALL=en_US.UTF-8
# The official image's packages, and the libraries that Debian's OpenJDK does not bring itself.
RUN --mount=type=bind,from=installer,target=/native --mount=type=bind,source=extras/ca-certificates,target=/extra-ca \
    mkdir -p /usr/local/share/ca-certificates && cp -r /extra-ca/. /usr/local/share/ca-certificates/ \
    && /native/install binutils ca-certificates fontconfig locales p11-kit tzdata \
        libjpeg62-turbo liblcms2-2 libpcsclite1 libstdc++6 zlib1g \
    && localedef --inputfile=en_US --charmap=UTF-8 --alias-file=/usr/share/locale/locale.alias en_US.UTF-8
COPY --from=jdk /opt/java/openjdk $JAVA_HOME
# Java's own library as it lies in memory, so that it starts faster.
RUN java -Xshare:dump
RUN --mount=type=bind,from=installer,target=/native \
    /native/install curl git openssh-client
ENV MAVEN_HOME=/usr/share/maven MAVEN_CONFIG=/root/.m2
COPY --from=maven /maven $MAVEN_HOME
RUN ln -s $MAVEN_HOME/bin/mvn /usr/bin/mvn
CMD ["mvn"]
