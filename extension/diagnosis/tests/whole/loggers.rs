//! What a message looks like when a logger has written it: the healthy corpus is made of messages,
//! each as several loggers write it.

use crate::corpus::REQUEST_ID;

/// How a logger writes. In `line`, `LEVEL` is its word for the level, `MESSAGE` the message as it is,
/// `QUOTED` the message as a JSON string, and `REQUEST` the request id.
pub(crate) struct Logger {
    /// The name of its file in the corpus.
    pub(crate) name: &'static str,
    /// The language it is of; None for a format that all languages have.
    pub(crate) language: Option<&'static str>,
    /// Whether its line reaches telemetry as an object (Lambda's JSON log format) or as text.
    is_object: bool,
    /// Its words for trace, debug, info, warn and error; None where it writes no level.
    words: Option<[&'static str; 5]>,
    line: &'static str,
}

/// The levels in the order of a logger's words.
pub(crate) const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

const UPPER: Option<[&str; 5]> = Some(LEVELS);
const LOWER: Option<[&str; 5]> = Some(["trace", "debug", "info", "warn", "error"]);
const PYTHON: Option<[&str; 5]> = Some(["DEBUG", "DEBUG", "INFO", "WARNING", "ERROR"]);
const PYTHON_LOWER: Option<[&str; 5]> = Some(["debug", "debug", "info", "warning", "error"]);
const NUMBERS: Option<[&str; 5]> = Some(["10", "20", "30", "40", "50"]);
const JUL: Option<[&str; 5]> = Some(["FINER", "FINE", "INFO", "WARNING", "SEVERE"]);
const DOTNET: Option<[&str; 5]> = Some(["Trace", "Debug", "Information", "Warning", "Error"]);
const DOTNET_SHORT: Option<[&str; 5]> = Some(["trce", "dbug", "info", "warn", "fail"]);
// It leaves the field out at Information.
const COMPACT: Option<[&str; 5]> =
    Some([r#""@l":"Verbose","#, r#""@l":"Debug","#, "", r#""@l":"Warning","#, r#""@l":"Error","#]);
const MONOLOG: Option<[&str; 5]> = Some(["100", "100", "200", "300", "400"]);
const SERILOG_SHORT: Option<[&str; 5]> = Some(["VRB", "DBG", "INF", "WRN", "ERR"]);

impl Logger {
    const fn text(
        name: &'static str,
        language: &'static str,
        words: Option<[&'static str; 5]>,
        line: &'static str,
    ) -> Self {
        Self { name, language: Some(language), is_object: false, words, line }
    }

    const fn object(
        name: &'static str,
        language: &'static str,
        words: Option<[&'static str; 5]>,
        line: &'static str,
    ) -> Self {
        Self { is_object: true, ..Self::text(name, language, words, line) }
    }

    /// Whether its lines tell their level.
    pub(crate) fn has_level(&self) -> bool {
        self.words.is_some()
    }

    /// The `record` of telemetry for a message at one of [`LEVELS`].
    pub(crate) fn record(&self, level: &str, message: &str) -> String {
        let rank = LEVELS.iter().position(|l| *l == level).expect(level);
        let word = self.words.map_or("", |words| words[rank]);
        let quoted = serde_json::to_string(message).unwrap();
        // The message last, as it may hold the other marks.
        let line = self.line.replace("REQUEST", REQUEST_ID).replace("LEVEL", word);
        let line = line.replace("QUOTED", &quoted).replace("MESSAGE", message);
        if self.is_object { line } else { serde_json::to_string(&line).unwrap() }
    }
}

/// All of them, by language.
pub(crate) const LOGGERS: &[Logger] = &[
    Logger { language: None, ..Logger::text("print", "", None, "MESSAGE\n") },
    Logger {
        language: None,
        ..Logger::text(
            "opentelemetry",
            "",
            UPPER,
            r#"{"Timestamp":"1772366400020000000","SeverityText":"LEVEL","Body":QUOTED,"Resource":{"service.name":"orders","faas.name":"orders"},"InstrumentationScope":{"name":"orders"}}"#,
        )
    },
    Logger {
        language: None,
        ..Logger::text(
            "severity-field",
            "",
            UPPER,
            r#"{"severity":"LEVEL","time":"2026-03-01T12:00:00.020Z","message":QUOTED,"labels":{"team":"orders"}}"#,
        )
    },
    Logger::text(
        "python-lambda-text",
        "python",
        PYTHON,
        "[LEVEL]\t2026-03-01T12:00:00.020Z\tREQUEST\tMESSAGE\n",
    ),
    Logger::object(
        "python-lambda-json",
        "python",
        PYTHON,
        r#"{"timestamp":"2026-03-01T12:00:00Z","level":"LEVEL","message":QUOTED,"logger":"app.orders","requestId":"REQUEST"}"#,
    ),
    Logger::text("python-basic-config", "python", PYTHON, "LEVEL:app.orders:MESSAGE"),
    Logger::text(
        "python-asctime",
        "python",
        PYTHON,
        "2026-03-01 12:00:00,020 - app.orders - LEVEL - MESSAGE",
    ),
    Logger::text(
        "python-json-logger",
        "python",
        PYTHON,
        r#"{"asctime": "2026-03-01 12:00:00,020", "levelname": "LEVEL", "name": "app.orders", "message": QUOTED, "order_id": 1042}"#,
    ),
    Logger::object(
        "python-powertools",
        "python",
        PYTHON,
        r#"{"level":"LEVEL","location":"handler:42","message":QUOTED,"timestamp":"2026-03-01 12:00:00,020+0000","service":"orders","cold_start":false,"function_name":"orders","function_memory_size":"128","function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","function_request_id":"REQUEST","xray_trace_id":"1-65e1c2f0-000000000000000000000000"}"#,
    ),
    Logger::text(
        "python-structlog-json",
        "python",
        PYTHON_LOWER,
        r#"{"order_id": 1042, "event": QUOTED, "logger": "app.orders", "level": "LEVEL", "timestamp": "2026-03-01T12:00:00.020000Z"}"#,
    ),
    Logger::text(
        "python-structlog-console",
        "python",
        PYTHON_LOWER,
        "2026-03-01T12:00:00.020000Z [LEVEL    ] MESSAGE [app.orders] order_id=1042",
    ),
    Logger::text(
        "python-loguru",
        "python",
        PYTHON,
        "2026-03-01 12:00:00.020 | LEVEL    | app.orders:handler:42 - MESSAGE",
    ),
    Logger::text(
        "node-lambda-text",
        "node",
        UPPER,
        "2026-03-01T12:00:00.020Z\tREQUEST\tLEVEL\tMESSAGE\n",
    ),
    Logger::object(
        "node-lambda-json",
        "node",
        UPPER,
        r#"{"timestamp":"2026-03-01T12:00:00.020Z","level":"LEVEL","requestId":"REQUEST","message":QUOTED}"#,
    ),
    Logger::object(
        "node-powertools",
        "node",
        UPPER,
        r#"{"level":"LEVEL","message":QUOTED,"timestamp":"2026-03-01T12:00:00.020Z","service":"orders","cold_start":true,"function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","function_memory_size":"128","function_name":"orders","function_request_id":"REQUEST","sampling_rate":0,"xray_trace_id":"1-65e1c2f0-000000000000000000000000"}"#,
    ),
    Logger::text(
        "node-pino",
        "node",
        NUMBERS,
        r#"{"level":LEVEL,"time":1772366400020,"pid":8,"hostname":"169.254.100.5","name":"orders","msg":QUOTED}"#,
    ),
    Logger::text(
        "node-winston-json",
        "node",
        LOWER,
        r#"{"level":"LEVEL","message":QUOTED,"service":"orders","timestamp":"2026-03-01T12:00:00.020Z"}"#,
    ),
    Logger::text("node-winston-simple", "node", LOWER, r#"LEVEL: MESSAGE {"service":"orders"}"#),
    Logger::text(
        "node-bunyan",
        "node",
        NUMBERS,
        r#"{"name":"orders","hostname":"169.254.100.5","pid":8,"level":LEVEL,"msg":QUOTED,"time":"2026-03-01T12:00:00.020Z","v":0}"#,
    ),
    Logger::text(
        "node-log4js",
        "node",
        UPPER,
        "[2026-03-01T12:00:00.020] [LEVEL] orders - MESSAGE",
    ),
    Logger::text(
        "java-lambda-log4j2",
        "java",
        UPPER,
        "2026-03-01 12:00:00 REQUEST LEVEL OrdersHandler:42 - MESSAGE\n",
    ),
    Logger::object(
        "java-lambda-json",
        "java",
        UPPER,
        r#"{"timestamp":"2026-03-01T12:00:00.020Z","level":"LEVEL","message":QUOTED,"AWSRequestId":"REQUEST"}"#,
    ),
    Logger::text(
        "java-log4j2-ecs",
        "java",
        UPPER,
        r#"{"@timestamp":"2026-03-01T12:00:00.020Z","log.level":"LEVEL","message":QUOTED,"ecs.version":"1.2.0","service.name":"orders","event.dataset":"orders","process.thread.name":"main","log.logger":"com.example.orders.Handler"}"#,
    ),
    Logger::text(
        "java-logback",
        "java",
        UPPER,
        "12:00:00.020 [main] LEVEL com.example.orders.Handler -- MESSAGE",
    ),
    Logger::text(
        "java-logstash-encoder",
        "java",
        UPPER,
        r#"{"@timestamp":"2026-03-01T12:00:00.020Z","@version":"1","message":QUOTED,"logger_name":"com.example.orders.Handler","thread_name":"main","level":"LEVEL","level_value":20000}"#,
    ),
    Logger::text(
        "java-util-logging",
        "java",
        JUL,
        "Mar 01, 2026 12:00:00 PM com.example.orders.Handler handleRequest\nLEVEL: MESSAGE\n",
    ),
    Logger::object(
        "java-powertools",
        "java",
        UPPER,
        r#"{"level":"LEVEL","message":QUOTED,"cold_start":false,"function_arn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","function_memory_size":512,"function_name":"orders","function_request_id":"REQUEST","function_version":"$LATEST","service":"orders","timestamp":"2026-03-01T12:00:00.020Z"}"#,
    ),
    Logger::text(
        "java-slf4j-simple",
        "java",
        UPPER,
        "[main] LEVEL com.example.orders.Handler - MESSAGE",
    ),
    Logger::text(
        "dotnet-lambda-text",
        "dotnet",
        DOTNET_SHORT,
        "2026-03-01T12:00:00.020Z\tREQUEST\tLEVEL\tMESSAGE\n",
    ),
    Logger::object(
        "dotnet-lambda-json",
        "dotnet",
        DOTNET,
        r#"{"timestamp":"2026-03-01T12:00:00.020Z","level":"LEVEL","requestId":"REQUEST","traceId":"1-65e1c2f0-000000000000000000000000","message":QUOTED}"#,
    ),
    Logger::text(
        "dotnet-console",
        "dotnet",
        DOTNET_SHORT,
        "LEVEL: Orders.Function[0]\n      MESSAGE\n",
    ),
    Logger::text(
        "dotnet-console-json",
        "dotnet",
        DOTNET,
        r#"{"EventId":0,"LogLevel":"LEVEL","Category":"Orders.Function","Message":QUOTED,"State":{"OrderId":1042}}"#,
    ),
    Logger::text(
        "dotnet-serilog-compact",
        "dotnet",
        COMPACT,
        r#"{"@t":"2026-03-01T12:00:00.0200000Z","@mt":QUOTED,LEVEL"OrderId":1042,"SourceContext":"Orders.Function"}"#,
    ),
    Logger::text("dotnet-serilog-console", "dotnet", SERILOG_SHORT, "[12:00:00 LEVEL] MESSAGE"),
    Logger::text(
        "dotnet-nlog",
        "dotnet",
        UPPER,
        "2026-03-01 12:00:00.0200|LEVEL|Orders.Function|MESSAGE",
    ),
    Logger::object(
        "dotnet-powertools",
        "dotnet",
        DOTNET,
        r#"{"cold_start":true,"correlation_id":"7","function_name":"orders","function_memory_size":512,"function_request_id":"REQUEST","timestamp":"2026-03-01T12:00:00.0200000Z","level":"LEVEL","service":"orders","name":"AWS.Lambda.Powertools.Logging.Logger","message":QUOTED}"#,
    ),
    Logger::text("go-log", "go", None, "2026/03/01 12:00:00 MESSAGE\n"),
    Logger::text(
        "go-slog-text",
        "go",
        UPPER,
        "time=2026-03-01T12:00:00.020Z level=LEVEL msg=QUOTED order=1042",
    ),
    Logger::text(
        "go-slog-json",
        "go",
        UPPER,
        r#"{"time":"2026-03-01T12:00:00.020Z","level":"LEVEL","msg":QUOTED,"order":1042}"#,
    ),
    Logger::text(
        "go-zap-json",
        "go",
        LOWER,
        r#"{"level":"LEVEL","ts":1772366400.02,"caller":"orders/main.go:42","msg":QUOTED,"order":1042}"#,
    ),
    Logger::text(
        "go-zap-console",
        "go",
        UPPER,
        "2026-03-01T12:00:00.020Z\tLEVEL\torders/main.go:42\tMESSAGE\t{\"order\": 1042}",
    ),
    Logger::text(
        "go-logrus-text",
        "go",
        PYTHON_LOWER,
        "time=\"2026-03-01T12:00:00Z\" level=LEVEL msg=QUOTED order=1042",
    ),
    Logger::text(
        "go-logrus-json",
        "go",
        PYTHON_LOWER,
        r#"{"level":"LEVEL","msg":QUOTED,"order":1042,"time":"2026-03-01T12:00:00Z"}"#,
    ),
    Logger::text(
        "go-zerolog",
        "go",
        LOWER,
        r#"{"level":"LEVEL","order":1042,"time":"2026-03-01T12:00:00Z","message":QUOTED}"#,
    ),
    Logger::text(
        "php-monolog-line",
        "php",
        PYTHON,
        "[2026-03-01T12:00:00.020000+00:00] orders.LEVEL: MESSAGE {\"order\":1042} []\n",
    ),
    Logger::text(
        "php-monolog-json",
        "php",
        MONOLOG,
        r#"{"message":QUOTED,"context":{"order":1042},"level":LEVEL,"channel":"orders","datetime":"2026-03-01T12:00:00.020000+00:00","extra":{}}"#,
    ),
    Logger::text(
        "ruby-logger",
        "ruby",
        UPPER,
        "L, [2026-03-01T12:00:00.020000 #8]  LEVEL -- : MESSAGE\n",
    ),
    Logger::text(
        "ruby-logger-lambda",
        "ruby",
        UPPER,
        "L, [2026-03-01T12:00:00.020000 #8]  LEVEL REQUEST -- orders: MESSAGE\n",
    ),
    Logger::text(
        "ruby-semantic-logger",
        "ruby",
        UPPER,
        r#"{"host":"169.254.100.5","application":"orders","timestamp":"2026-03-01T12:00:00.020000Z","level":"LEVEL","pid":8,"thread":"main","name":"Orders","message":QUOTED}"#,
    ),
    Logger::text(
        "rust-tracing-text",
        "rust",
        UPPER,
        "2026-03-01T12:00:00.020000Z  LEVEL orders::handler: MESSAGE order=1042",
    ),
    Logger::text(
        "rust-tracing-json",
        "rust",
        UPPER,
        r#"{"timestamp":"2026-03-01T12:00:00.020000Z","level":"LEVEL","fields":{"message":QUOTED,"order":1042},"target":"orders::handler"}"#,
    ),
    Logger::text(
        "rust-lambda-runtime",
        "rust",
        UPPER,
        " LEVEL Lambda runtime invoke{requestId=\"REQUEST\" xrayTraceId=\"Root=1-65e1c2f0-000000000000000000000000\"}: orders: MESSAGE",
    ),
    Logger::text(
        "rust-env-logger",
        "rust",
        UPPER,
        "[2026-03-01T12:00:00Z LEVEL orders::handler] MESSAGE",
    ),
];
