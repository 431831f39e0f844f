# Where Kafka's jars are, how its JVM is started, and how both come into the cache.
# shellcheck shell=bash disable=SC2034,SC2154 # read by, or set by, the script that includes this

kafka_home=$cache/kafka-$kafka_version
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# The archive of parsed classes fits one build of the JVM only.
jvm_identity() { "$java" -version 2>&1 | cksum | cut -d' ' -f1; }

# jvm HEAP ARGUMENT...: runs a class of Kafka's
jvm() {
  local heap=$1 archive
  shift
  archive=$kafka_home/classes-$(jvm_identity).jsa
  local options=("-Xmx$heap" -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Xlog:cds=off
    -Djava.awt.headless=true "-Dlog4j2.configurationFile=$kafka_home/log4j2.properties")
  [ ! -e "$archive" ] || options+=("-XX:SharedArchiveFile=$archive")
  exec "$java" "${options[@]}" -cp "$kafka_home/libs/*" "$@"
}

# fetch_kafka: the jars, by Maven, once. The binding of log4j is not among Kafka's own dependencies.
fetch_kafka() {
  [ ! -e "$kafka_home/.complete" ] || return 0
  command -v "$java" >/dev/null || die "no java: run tests/servers/tools-install"
  command -v mvn >/dev/null || die "no mvn: run tests/servers/tools-install"
  say "fetching Apache Kafka $kafka_version into $kafka_home (once)"
  rm -rf "$kafka_home"
  mkdir -p "$kafka_home"
  cat >"$kafka_home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>argosy</groupId><artifactId>kafka-server</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
  </dependencies>
</project>
POM
  cat >"$kafka_home/log4j2.properties" <<'LOG'
rootLogger.level = ${sys:log.level:-INFO}
rootLogger.appenderRef.stderr.ref = STDERR
appender.stderr.type = Console
appender.stderr.name = STDERR
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} - %m%n
LOG
  (cd "$kafka_home" &&
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory=libs) >&2 || die "mvn failed to fetch Kafka $kafka_version"
  touch "$kafka_home/.complete"
}
