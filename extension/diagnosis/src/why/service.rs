//! What listens on a port, where the number says something.

/// The service that a port stands for.
pub(super) fn service(port: u16) -> Option<&'static str> {
    Some(match port {
        22 => "SSH",
        25 | 465 | 587 => "SMTP",
        53 => "DNS",
        80 => "HTTP",
        389 | 636 => "LDAP",
        443 => "HTTPS",
        1433 => "SQL Server",
        1521 => "Oracle",
        2049 => "NFS",
        3306 => "MySQL",
        4317 | 4318 => "OTLP",
        5432 => "PostgreSQL",
        5439 => "Redshift",
        5671 | 5672 => "AMQP",
        6379 => "Redis",
        8111 => "DAX",
        9042 | 9142 => "Cassandra",
        9092 | 9094 | 9096 | 9098 => "Kafka",
        9200 => "OpenSearch",
        11211 => "Memcached",
        27017 => "MongoDB",
        _ => return None,
    })
}

/// Whether what listens on a port takes telemetry, which is sent beside the work: by OTLP, to the agents of
/// Datadog, X-Ray and Fluentd, to Zipkin or Jaeger.
pub(super) fn takes_telemetry(port: u16) -> bool {
    matches!(port, 2000 | 4317 | 4318 | 8125 | 8126 | 9411 | 14_250 | 14_268 | 24_224)
}
