FROM maven:3-eclipse-temurin-25

WORKDIR /app

COPY . .
RUN mvn package

EXPOSE 8000

CMD ["java", "-cp", "target/service.jar", "Service"]
