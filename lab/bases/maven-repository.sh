#!/bin/bash
# Put Debian's Maven into /maven, as it lies elsewhere in /usr/share/maven, with a repository beside it: what `mvn package`
# needs for a project without dependencies. Debian's own repository has every file under several versions.
set -eu
find /usr/share/maven/ -xtype l -delete
cp -rL /usr/share/maven /maven
rm -r /maven/man

mkdir -p /project/src/{main,test}/{java,resources} && cd /project
cat > pom.xml << END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lab</groupId>
  <artifactId>lab</artifactId>
  <version>1</version>
  <properties><maven.compiler.release>25</maven.compiler.release></properties>
</project>
END
echo 'class Main {}' > src/main/java/Main.java
echo 'public class MainTest { public void testNothing() {} }' > src/test/java/MainTest.java
touch src/{main,test}/resources/file

settings() { echo "<settings>$1</settings>" > /maven/conf/settings.xml; }
settings '<mirrors><mirror>
  <id>debian</id><mirrorOf>*</mirrorOf><url>file:///usr/share/maven-repo</url>
</mirror></mirrors>'
MAVEN_HOME=/maven /maven/bin/mvn --batch-mode --quiet -DforkCount=0 -Dmaven.repo.local=/maven/repository package
find /maven/repository '(' -name _remote.repositories -o -name '*.lastUpdated' ')' -delete
settings '<localRepository>/usr/share/maven/repository</localRepository><offline>true</offline>'
