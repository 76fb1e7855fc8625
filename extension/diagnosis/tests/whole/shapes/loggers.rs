//! How each logger writes an error into a record, at each level.

use super::languages::Printed;
use serde_json::{Value, json};
use triage_diagnosis::Level;

const TIME: &str = "2026-03-01T12:00:00.020Z";
pub(crate) const ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";

/// A logger: what it is called, and what it writes.
pub(crate) type Logger = (&'static str, fn(&Printed, Level) -> String);

fn word(level: Level) -> &'static str {
    level.as_str()
}

fn lower(level: Level) -> String {
    word(level).to_ascii_lowercase()
}

/// `Error`, `Warning`, `Information`, as .NET has it.
fn dotnet(level: Level) -> &'static str {
    ["Trace", "Debug", "Information", "Warning", "Error"][level as usize]
}

/// The one of a list from trace to error.
fn pick<T: Copy>(level: Level, of: [T; 5]) -> T {
    of[level as usize]
}

fn warning(level: Level) -> &'static str {
    if level == Level::Warn { "WARNING" } else { word(level) }
}

/// A string as Go, Rust and Python quote it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

pub(crate) const TEXT: &[Logger] = &[
    ("Python on Lambda", |p, l| format!("[{}]\t{TIME}\t{ID}\tfailed: {}", warning(l), p.text)),
    ("Python on Lambda with CR", |p, l| {
        format!("[{}]\t{TIME}\t{ID}\tfailed: {}", warning(l), p.text.replace('\n', "\r"))
    }),
    ("Python logging", |p, l| format!("{}:root:failed: {}", warning(l), p.text)),
    ("Python logging with time", |p, l| {
        format!("2026-03-01 12:00:00,020 - app - {} - failed: {}", warning(l), p.text)
    }),
    ("loguru", |p, l| {
        format!("2026-03-01 12:00:00.020 | {:8} | app:handler:8 - failed\n{}", warning(l), p.text)
    }),
    ("loguru in colours", |p, l| {
        format!(
            "\x1b[32m2026-03-01 12:00:00.020\x1b[0m | \x1b[31m\x1b[1m{:8}\x1b[0m | \x1b[36mapp\x1b[0m:\x1b[36mhandler\x1b[0m - \x1b[31m\x1b[1mfailed\x1b[0m\n{}",
            warning(l),
            p.text
        )
    }),
    ("structlog", |p, l| {
        format!(
            "{TIME} [{:9}] failed                         [app] error={}",
            lower(l),
            quoted(&p.text)
        )
    }),
    ("structlog in colours", |p, l| {
        format!(
            "\x1b[2m{TIME}\x1b[0m [\x1b[31m\x1b[1m{:9}\x1b[0m] \x1b[1mfailed\x1b[0m \x1b[36merror\x1b[0m=\x1b[35m{}\x1b[0m",
            lower(l),
            quoted(&p.text)
        )
    }),
    ("structlog key-value", |p, l| {
        format!("timestamp='{TIME}' level='{}' event='failed' error={}", lower(l), quoted(&p.text))
    }),
    ("Node on Lambda", |p, l| format!("{TIME}\t{ID}\t{}\t{}", word(l), p.text)),
    ("winston simple", |p, l| format!("{}: failed: {}", lower(l), p.text)),
    ("winston in colours", |p, l| format!("\x1b[31m{}\x1b[39m: failed: {}", lower(l), p.text)),
    ("winston printf", |p, l| format!("{TIME} [orders] {}: {}", lower(l), p.text)),
    ("winston printf brackets", |p, l| format!("{TIME} [{}]: {}", lower(l), p.text)),
    ("pino-pretty", |p, l| {
        format!(
            "[12:00:00.020] {} (8): failed\n    err: {{\n      \"type\": \"{}\",\n      \"stack\":\n          {}\n    }}",
            word(l),
            p.kind,
            p.text.replace('\n', "\n          ")
        )
    }),
    ("pino-pretty in colours", |p, l| {
        format!(
            "[12:00:00.020] \x1b[31m{}\x1b[39m (8): \x1b[36mfailed\x1b[39m\n    \x1b[35merr\x1b[39m: {{\n      \"stack\":\n          \x1b[33m{}\x1b[39m\n    }}",
            word(l),
            p.text.replace('\n', "\n          ")
        )
    }),
    ("log4j2", |p, l| {
        format!("2026-03-01 12:00:00 {ID} {} Handler:42 - failed\n{}", word(l), p.text)
    }),
    ("logback", |p, l| {
        format!("12:00:00.020 [main] {:5} com.example.Handler - failed\n{}", word(l), p.text)
    }),
    ("logback in colours", |p, l| {
        format!(
            "12:00:00.020 [main] \x1b[1;31m{:5}\x1b[0;39m \x1b[36mcom.example.Handler\x1b[0;39m - failed\n{}",
            word(l),
            p.text
        )
    }),
    ("java.util.logging", |p, l| {
        let level = pick(l, ["FINEST", "FINE", "INFO", "WARNING", "SEVERE"]);
        format!(
            "Mar 01, 2026 12:00:00 PM com.example.Handler handleRequest\n{level}: failed\n{}",
            p.text
        )
    }),
    (".NET on Lambda", |p, l| {
        let level = pick(l, ["trce", "dbug", "info", "warn", "fail"]);
        format!("{TIME}\t{ID}\t{level}\t{}", p.text)
    }),
    (".NET console", |p, l| {
        let level = pick(l, ["trce", "dbug", "info", "warn", "fail"]);
        format!(
            "{level}: Orders.Function[0]\n      failed\n      {}",
            p.text.replace('\n', "\n      ")
        )
    }),
    (".NET console in colours", |p, l| {
        let level = pick(l, ["trce", "dbug", "info", "warn", "fail"]);
        format!(
            "\x1b[41m\x1b[30m{level}\x1b[39m\x1b[22m\x1b[49m: Orders.Function[0]\n      failed\n      {}",
            p.text.replace('\n', "\n      ")
        )
    }),
    ("Serilog console", |p, l| {
        format!("[12:00:00 {}] failed\n{}", pick(l, ["VRB", "DBG", "INF", "WRN", "ERR"]), p.text)
    }),
    ("NLog", |p, l| {
        format!("2026-03-01 12:00:00.0200|{}|Orders.Function|failed {}", word(l), p.text)
    }),
    ("Go slog", |p, l| format!("time={TIME} level={} msg=failed err={}", word(l), quoted(&p.text))),
    ("Go slog between levels", |p, l| {
        format!("time={TIME} level={}+2 msg=failed err={}", word(l), quoted(&p.text))
    }),
    ("logrus", |p, l| {
        let level = if l == Level::Warn { "warning".into() } else { lower(l) };
        format!("time=\"{TIME}\" level={level} msg=failed error={}", quoted(&p.text))
    }),
    ("logrus in colours", |p, l| {
        let level = pick(l, ["TRAC", "DEBU", "INFO", "WARN", "ERRO"]);
        format!(
            "\x1b[31m{level}\x1b[0m[0000] failed                                        \x1b[31merror\x1b[0m={}",
            quoted(&p.text)
        )
    }),
    ("zap console", |p, l| {
        format!("{TIME}\t{}\thandler/main.go:42\tfailed\t{}", word(l), json!({"error": p.text}))
    }),
    ("zerolog console", |p, l| {
        let level = pick(l, ["TRC", "DBG", "INF", "WRN", "ERR"]);
        format!(
            "\x1b[90m12:00PM\x1b[0m \x1b[31m{level}\x1b[0m failed \x1b[36merror=\x1b[0m\x1b[31m{}\x1b[0m",
            quoted(&p.text)
        )
    }),
    ("klog", |p, l| {
        format!(
            "{}0301 12:00:00.020000       8 main.go:42] failed: {}",
            pick(l, ["I", "I", "I", "W", "E"]),
            p.text
        )
    }),
    ("log15", |p, l| {
        let level = pick(l, ["dbug", "dbug", "info", "warn", "eror"]);
        format!("t={TIME} lvl={level} msg=failed err={}", quoted(&p.text))
    }),
    ("tracing", |p, l| format!("{TIME} {:5} bootstrap: failed error={}", word(l), p.text)),
    ("tracing in colours", |p, l| {
        format!(
            "\x1b[2m{TIME}\x1b[0m \x1b[31m{:5}\x1b[0m \x1b[1minvoke\x1b[0m\x1b[1m{{\x1b[0m\x1b[3mrequestId\x1b[0m\x1b[2m=\x1b[0m\"{ID}\"\x1b[1m}}\x1b[0m\x1b[2m:\x1b[0m \x1b[2mbootstrap\x1b[0m\x1b[2m:\x1b[0m failed \x1b[3merror\x1b[0m\x1b[2m=\x1b[0m{}",
            word(l),
            p.text
        )
    }),
    ("tracing pretty", |p, l| {
        format!(
            "  {TIME} {:5} bootstrap: failed, error: {}\n    at src/main.rs:30",
            word(l),
            p.text
        )
    }),
    ("env_logger", |p, l| format!("[{TIME} {:5} bootstrap] failed: {}", word(l), p.text)),
    ("Ruby Logger", |p, l| {
        let letter = pick(l, ["D", "D", "I", "W", "E"]);
        let level = if l == Level::Trace { "DEBUG" } else { word(l) };
        format!("{letter}, [2026-03-01T12:00:00.020 #8] {level} -- : failed: {}", p.text)
    }),
    ("Monolog", |p, l| {
        let level = if l == Level::Trace { "DEBUG" } else { warning(l) };
        format!("[2026-03-01T12:00:00.020+00:00] app.{level}: failed {}", p.text)
    }),
    ("JSON after words", |p, l| {
        format!("app {{\"level\":\"{}\",\"error\":{}}}", lower(l), quoted(&p.text))
    }),
];

fn record(value: Value) -> String {
    value.to_string()
}

pub(crate) const JSON: &[Logger] = &[
    ("Python on Lambda", |p, l| {
        record(
            json!({"timestamp": TIME, "level": warning(l), "message": "failed", "logger": "root", "requestId": ID, "stackTrace": lines(&p.stack), "errorType": p.kind, "errorMessage": p.message, "location": "/var/task/app.py:handler:8"}),
        )
    }),
    ("Node on Lambda", |p, l| {
        record(
            json!({"timestamp": TIME, "level": word(l), "requestId": ID, "message": {"errorType": p.kind, "errorMessage": p.message, "stackTrace": lines(&p.stack)}}),
        )
    }),
    ("Node on Lambda, uncaught", |p, l| {
        record(
            json!({"timestamp": TIME, "level": word(l), "requestId": ID, "errorType": p.kind, "errorMessage": p.message, "stackTrace": lines(&p.stack)}),
        )
    }),
    ("Node on Lambda, as words", |p, l| {
        record(json!({"timestamp": TIME, "level": word(l), "requestId": ID, "message": p.text}))
    }),
    ("Java on Lambda", |p, l| {
        record(json!({"timestamp": TIME, "message": p.text, "level": word(l), "AWSRequestId": ID}))
    }),
    (".NET on Lambda", |p, l| {
        record(
            json!({"timestamp": TIME, "level": dotnet(l), "requestId": ID, "traceId": "1-0", "message": "failed", "errorType": p.kind, "errorMessage": p.message, "stackTrace": lines(&p.stack)}),
        )
    }),
    ("Powertools for Python", |p, l| {
        record(
            json!({"level": warning(l), "location": "handler:8", "message": "failed", "timestamp": TIME, "service": "orders", "function_request_id": ID, "exception": p.stack, "exception_name": p.kind}),
        )
    }),
    ("Powertools for TypeScript", |p, l| {
        record(
            json!({"level": word(l), "message": "failed", "timestamp": TIME, "service": "orders", "function_request_id": ID, "error": {"name": p.kind, "location": "index.js:388", "message": p.message, "stack": p.stack, "$fault": "client"}}),
        )
    }),
    ("Powertools for Java", |p, l| {
        record(
            json!({"level": word(l), "message": "failed", "error": {"message": p.message, "name": p.kind, "stack": p.stack}, "timestamp": TIME, "service": "orders", "function_request_id": ID}),
        )
    }),
    ("Powertools for .NET", |p, l| {
        record(
            json!({"level": dotnet(l), "message": "failed", "timestamp": TIME, "service": "orders", "exception": {"type": p.kind, "message": p.message, "source": "AWSSDK", "stack_trace": p.stack}}),
        )
    }),
    ("pino", |p, l| {
        record(
            json!({"level": pick(l, [10, 20, 30, 40, 50]), "time": 1772366400020u64, "pid": 8, "hostname": "169.254.1.1", "err": {"type": p.kind, "message": p.message, "stack": p.stack, "name": p.kind}, "msg": "failed"}),
        )
    }),
    ("bunyan", |p, l| {
        record(
            json!({"name": "orders", "hostname": "h", "pid": 8, "level": pick(l, [10, 20, 30, 40, 60]), "err": {"message": p.message, "name": p.kind, "stack": p.stack}, "msg": "failed", "time": TIME, "v": 0}),
        )
    }),
    ("winston", |p, l| {
        record(
            json!({"level": lower(l), "message": format!("failed {}", p.message), "stack": p.stack, "name": p.kind}),
        )
    }),
    ("winston in colours", |p, l| {
        record(
            json!({"level": format!("\x1b[31m{}\x1b[39m", lower(l)), "message": format!("\x1b[31m{}\x1b[39m", p.text)}),
        )
    }),
    ("structlog", |p, l| {
        record(
            json!({"event": "failed", "level": warning(l).to_lowercase(), "timestamp": TIME, "exception": p.text}),
        )
    }),
    ("python-json-logger", |p, l| {
        record(
            json!({"asctime": TIME, "levelname": warning(l), "message": "failed", "exc_info": p.text}),
        )
    }),
    ("loguru", |p, l| {
        record(
            json!({"text": format!("{TIME} | failed\n{}", p.text), "record": {"exception": {"type": p.kind, "value": p.message, "traceback": true}, "level": {"icon": "x", "name": warning(l), "no": 40}, "message": "failed"}}),
        )
    }),
    ("zap", |p, l| {
        record(
            json!({"level": lower(l), "ts": 1772366400.02, "caller": "main.go:42", "msg": "failed", "error": p.text, "stacktrace": "main.handler\n\t/src/main.go:42"}),
        )
    }),
    ("zap for production elsewhere", |p, l| {
        record(json!({"severity": warning(l), "time": TIME, "message": "failed", "error": p.text}))
    }),
    ("logrus", |p, l| {
        record(
            json!({"error": p.text, "level": if l == Level::Warn { "warning".into() } else { lower(l) }, "msg": "failed", "time": TIME}),
        )
    }),
    ("slog", |p, l| {
        record(json!({"time": TIME, "level": word(l), "msg": "failed", "err": p.text}))
    }),
    ("slog between levels", |p, l| {
        record(
            json!({"time": TIME, "level": format!("{}+1", word(l)), "msg": "failed", "err": p.text}),
        )
    }),
    ("slog by number", |p, l| {
        record(
            json!({"time": TIME, "level": pick(l, [-8, -4, 0, 4, 8]), "msg": "failed", "err": p.text}),
        )
    }),
    ("zerolog", |p, l| {
        record(json!({"level": lower(l), "error": p.text, "time": TIME, "message": "failed"}))
    }),
    ("tracing", |p, l| {
        record(
            json!({"timestamp": TIME, "level": word(l), "fields": {"message": "failed", "error": p.text}, "target": "bootstrap", "span": {"requestId": ID, "name": "Lambda runtime invoke"}}),
        )
    }),
    ("tracing, the message", |p, l| {
        record(
            json!({"timestamp": TIME, "level": word(l), "fields": {"message": format!("failed: {}", p.text)}, "target": "bootstrap"}),
        )
    }),
    ("log4j2 JsonLayout", |p, l| {
        record(
            json!({"instant": {"epochSecond": 1772366400, "nanoOfSecond": 20000000}, "thread": "main", "level": word(l), "loggerName": "com.example.Handler", "message": "failed", "thrown": {"commonElementCount": 0, "localizedMessage": p.message, "message": p.message, "name": p.kind, "extendedStackTrace": p.stack}, "endOfBatch": false}),
        )
    }),
    ("log4j2 LambdaJsonFormat", |p, l| {
        record(
            json!({"timestamp": TIME, "level": word(l), "message": "failed", "logger": "com.example.Handler", "AWSRequestId": ID, "errorType": p.kind, "errorMessage": p.message, "stackTrace": lines(&p.stack)}),
        )
    }),
    ("ECS with dots", |p, l| {
        record(
            json!({"@timestamp": TIME, "log.level": word(l), "message": "failed", "ecs.version": "1.2.0", "error.type": p.kind, "error.message": p.message, "error.stack_trace": p.stack}),
        )
    }),
    ("ECS", |p, l| {
        record(
            json!({"@timestamp": TIME, "log": {"level": lower(l), "logger": "app"}, "message": "failed", "error": {"type": p.kind, "message": p.message, "stack_trace": p.stack}}),
        )
    }),
    ("logstash for logback", |p, l| {
        record(
            json!({"@timestamp": TIME, "@version": "1", "message": "failed", "logger_name": "com.example.Handler", "thread_name": "main", "level": word(l), "level_value": 40000, "stack_trace": p.text}),
        )
    }),
    ("Serilog compact", |p, l| {
        let mut value = json!({"@t": TIME, "@mt": "failed", "@x": p.text});
        if l != Level::Info {
            value["@l"] = pick(l, ["Verbose", "Debug", "", "Warning", "Error"]).into();
        }
        record(value)
    }),
    ("Serilog", |p, l| {
        record(
            json!({"Timestamp": TIME, "Level": dotnet(l), "MessageTemplate": "failed", "Exception": p.text}),
        )
    }),
    ("NLog", |p, l| {
        let level = pick(l, ["Trace", "Debug", "Info", "Warn", "Error"]);
        record(json!({"time": TIME, "level": level, "message": "failed", "exception": p.text}))
    }),
    (".NET JSON console", |p, l| {
        record(
            json!({"EventId": 0, "LogLevel": dotnet(l), "Category": "Orders.Function", "Message": "failed", "Exception": p.text}),
        )
    }),
    ("OpenTelemetry", |p, l| {
        record(
            json!({"timeUnixNano": "1772366400020000000", "severityNumber": pick(l, [1, 5, 9, 13, 17]), "body": {"stringValue": "failed"}, "attributes": {"exception.type": p.kind, "exception.message": p.message, "exception.stacktrace": p.stack}}),
        )
    }),
    ("OpenTelemetry with its text", |p, l| {
        record(
            json!({"SeverityText": word(l), "SeverityNumber": pick(l, [1, 5, 9, 13, 17]), "Body": p.text}),
        )
    }),
    ("Monolog", |p, l| {
        record(
            json!({"message": "failed", "context": {"exception": {"class": p.kind, "message": p.message, "trace": lines(&p.stack)}}, "level": pick(l, [100, 100, 200, 300, 400]), "level_name": warning(l), "channel": "app", "datetime": TIME}),
        )
    }),
    ("Monolog by number", |p, l| {
        record(json!({"message": p.text, "level": pick(l, [100, 100, 200, 300, 400])}))
    }),
    ("GELF", |p, l| {
        record(
            json!({"version": "1.1", "host": "h", "short_message": "failed", "full_message": p.text, "timestamp": 1772366400.02, "level": pick(l, [7, 7, 6, 4, 3])}),
        )
    }),
];
