//! Platform events: their telemetry records and their lines in the log.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::environment::{Answer, Event};
use crate::outcome::{InitPhase, Status};
use crate::shared::{Shared, ms};

/// The end of a phase as events report it.
#[derive(Debug, Clone)]
pub(crate) struct Conclusion {
    pub(crate) status: Status,
    pub(crate) error_type: Option<String>,
}

impl Conclusion {
    pub(crate) fn success() -> Self {
        Self { status: Status::Success, error_type: None }
    }

    fn add_to(&self, record: &mut Value) {
        record["status"] = self.status.as_str().into();
        if let Some(error_type) = &self.error_type {
            record["errorType"] = error_type.as_str().into();
        }
    }

    /// The tail of a text line, such as `\tStatus: error\tError Type: Runtime.ExitError`.
    fn text(&self) -> String {
        let mut text = String::new();
        if self.status != Status::Success {
            text = format!("\tStatus: {}", self.status.as_str());
        }
        if let Some(error_type) = &self.error_type {
            text += &format!("\tError Type: {error_type}");
        }
        text
    }
}

/// The figures of one invocation's report.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) duration_ms: f64,
    pub(crate) billed_duration_ms: u64,
    pub(crate) init_duration_ms: Option<f64>,
    pub(crate) restore_duration_ms: Option<f64>,
    pub(crate) max_memory_used_mb: u64,
}

impl Shared {
    fn initialization_type(&self) -> &'static str {
        self.config.function.initialization_type.as_str()
    }

    pub(crate) fn emit_init_start(&self, phase: InitPhase) {
        let function = &self.config.function;
        let record = json!({
            "initializationType": self.initialization_type(),
            "phase": phase.as_str(),
            "functionName": function.name,
            "functionVersion": function.version,
            "runtimeVersion": "local",
            "instanceMaxMemory": u64::from(function.memory_mb) << 20,
        });
        self.telemetry.platform("platform.initStart", &record);
        let text = "INIT_START Runtime Version: local".to_owned();
        self.telemetry.platform_log("platform.initStart", &record, text);
    }

    pub(crate) fn emit_init_runtime_done(&self, phase: InitPhase, conclusion: &Conclusion) {
        let mut record =
            json!({"initializationType": self.initialization_type(), "phase": phase.as_str()});
        conclusion.add_to(&mut record);
        self.telemetry.platform("platform.initRuntimeDone", &record);
    }

    pub(crate) fn emit_init_report(
        &self,
        phase: InitPhase,
        conclusion: &Conclusion,
        duration_ms: f64,
    ) {
        let mut record = json!({
            "initializationType": self.initialization_type(),
            "phase": phase.as_str(),
            "metrics": {"durationMs": duration_ms},
        });
        conclusion.add_to(&mut record);
        self.telemetry.platform("platform.initReport", &record);
        // Lambda's log shows this one only when something is wrong.
        if conclusion.status != Status::Success {
            let text = format!(
                "INIT_REPORT Init Duration: {duration_ms:.2} ms\tPhase: {}{}",
                phase.as_str(),
                conclusion.text()
            );
            self.telemetry.platform_log("platform.initReport", &record, text);
        }
    }

    pub(crate) fn emit_restore(
        &self,
        name: &str,
        conclusion: Option<&Conclusion>,
        took: Option<f64>,
    ) {
        let mut record = json!({});
        match conclusion {
            Some(conclusion) => conclusion.add_to(&mut record),
            None => {
                record["functionName"] = self.config.function.name.as_str().into();
                record["functionVersion"] = self.config.function.version.as_str().into();
            }
        }
        if let Some(took) = took {
            record["metrics"] = json!({"durationMs": took});
        }
        self.telemetry.platform(name, &record);
    }

    pub(crate) fn emit_start(&self, event: &Event) {
        let version = &self.config.function.version;
        let record = json!({
            "requestId": event.request_id,
            "version": version,
            "functionArn": self.config.function.arn(),
            "tracing": tracing(event),
        });
        self.telemetry.platform("platform.start", &record);
        let text = format!("START RequestId: {} Version: {version}", event.request_id);
        self.telemetry.platform_log("platform.start", &record, text);
    }

    pub(crate) fn emit_runtime_done(
        &self,
        event: &Event,
        conclusion: &Conclusion,
        begin: Instant,
        end: Instant,
        answer: Option<&Answer>,
    ) {
        let mut metrics = Map::new();
        metrics.insert("durationMs".into(), ms(end - begin).into());
        let mut record = json!({"requestId": event.request_id, "tracing": tracing(event)});
        if let Some(answer) = answer {
            metrics.insert("producedBytes".into(), answer.payload.len().into());
            let span = |name: &str, start: Instant, end: Instant| {
                let start_time = self.clock.now().checked_sub(start.elapsed());
                let start_time = start_time.unwrap_or(SystemTime::UNIX_EPOCH);
                json!({
                    "name": name,
                    "start": humantime::format_rfc3339_millis(start_time).to_string(),
                    "durationMs": ms(end.saturating_duration_since(start)),
                })
            };
            record["spans"] = json!([
                span("responseLatency", begin, answer.first_byte),
                span("responseDuration", answer.first_byte, answer.last_byte),
                span("runtimeOverhead", answer.last_byte, end),
            ]);
        }
        record["metrics"] = metrics.into();
        conclusion.add_to(&mut record);
        self.telemetry.platform("platform.runtimeDone", &record);
    }

    /// END and REPORT in the log at once; the telemetry record after the report's delay.
    pub(crate) fn emit_report(&self, event: &Event, conclusion: &Conclusion, figures: &Figures) {
        let id = &event.request_id;
        let mut record = json!({"requestId": id, "tracing": tracing(event)});
        conclusion.add_to(&mut record);
        let memory_mb = self.config.function.memory_mb;
        let mut text = String::new();
        if self.is_managed() {
            record["metrics"] = json!({"durationMs": figures.duration_ms});
        } else {
            let mut metrics = json!({
                "durationMs": figures.duration_ms,
                "billedDurationMs": figures.billed_duration_ms,
                "memorySizeMB": memory_mb,
                "maxMemoryUsedMB": figures.max_memory_used_mb,
            });
            text = format!(
                "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {} ms\t\
                 Memory Size: {memory_mb} MB\tMax Memory Used: {} MB",
                figures.duration_ms, figures.billed_duration_ms, figures.max_memory_used_mb
            );
            if let Some(init) = figures.init_duration_ms {
                metrics["initDurationMs"] = init.into();
                text += &format!("\tInit Duration: {init:.2} ms");
            }
            if let Some(restore) = figures.restore_duration_ms {
                metrics["restoreDurationMs"] = restore.into();
                text += &format!("\tRestore Duration: {restore:.2} ms");
            }
            record["metrics"] = metrics;
            text += &conclusion.text();
        }
        self.telemetry.platform_text(format!("END RequestId: {id}"));
        self.telemetry.platform_log("platform.report", &record, text);
        let telemetry = std::sync::Arc::clone(&self.telemetry);
        let delay = self.config.telemetry.report_delay;
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            telemetry.platform("platform.report", &record);
        });
    }

    /// The line that text logs carry on a timeout.
    pub(crate) fn log_timeout(&self, event: &Event) {
        let text =
            format!("{} {} {}", self.clock.rfc3339(), event.request_id, self.timeout_message());
        self.telemetry.platform_text(text);
    }

    pub(crate) fn timeout_message(&self) -> String {
        format!("Task timed out after {:.2} seconds", self.config.function.timeout.as_secs_f64())
    }
}

fn tracing(event: &Event) -> Value {
    json!({"type": "X-Amzn-Trace-Id", "value": event.trace_header})
}

/// What Lambda bills: every begun millisecond of these together.
pub(crate) fn billed_ms(parts: &[Duration]) -> u64 {
    let total: Duration = parts.iter().sum();
    u64::try_from(total.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}
