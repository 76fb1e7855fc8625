//! Lines of the extension, with the times at which it wrote them: from the fixtures, and from a storm.

#[path = "../../../extension/diagnosis/tests/whole/outside.rs"]
mod outside;

use crate::in_deploy;
use lambda_sandbox::MetricStore;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use triage_diagnosis::{
    Body, Dropped, Function, Invoke, Mount, Settings, Shutdown, Timestamp, Triage,
};

/// A line, and when it was written, in milliseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) line: Value,
    pub(crate) at_ms: u64,
}

impl Told {
    /// The same, written later.
    pub(crate) fn later(mut self, ms: u64) -> Self {
        self.at_ms += ms;
        self.line["_aws"]["Timestamp"] = json!(self.at_ms);
        self
    }

    /// Puts it into CloudWatch, which gets it so much later.
    pub(crate) fn put(&self, metrics: &mut MetricStore, late: Duration) {
        metrics.extract(&self.line.to_string(), time(self.at_ms) + late);
        assert_eq!(metrics.rejected(), []);
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.line["diagnosis"]["stage"] == "confirmed" && self.line.get("_aws").is_some()
    }
}

pub(crate) fn time(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

/// The folders of a problem's fixtures, or of `healthy`.
pub(crate) fn fixtures(problem: &str) -> Vec<PathBuf> {
    let folder = in_deploy("../tests/fixtures").join(problem);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// The lines that a fixture leads to.
pub(crate) fn replay(fixture: &Path) -> Vec<Told> {
    let text = |name: &str| std::fs::read_to_string(fixture.join(name)).unwrap_or_default();
    let given: Value = serde_json::from_str(&text("given.json")).unwrap_or_default();
    let function = Function {
        name: "orders".into(),
        version: "$LATEST".into(),
        concurrent: given["concurrent"] == true,
        memory_size_mb: given["memorySizeMb"].as_u64(),
    };
    let mut sandbox = Sandbox::new(Triage::new(Settings::default(), function));
    if let Some(mounts) = given["mounts"].as_array() {
        let part = |mount: &Value, name: &str| mount[name].as_str().unwrap().to_owned();
        let mounts = mounts.iter().map(|mount| Mount {
            point: part(mount, "point"),
            fs_type: part(mount, "fsType"),
            is_read_only: false,
        });
        sandbox.triage.handle_mounts(mounts.collect());
    }
    for line in text("telemetry.ndjson").lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        match step["at"].as_str() {
            Some(at) => sandbox.event(&step, Timestamp::parse(at).unwrap()),
            None => sandbox.deliver(line),
        }
    }
    sandbox.end()
}

/// Invocations that each fail with a KMS error, so many of them, so far apart.
pub(crate) fn kms_storm(invocations: u64, apart_ms: u64) -> Vec<Told> {
    let function = Function { name: "orders".into(), ..Function::default() };
    let mut sandbox = Sandbox::new(Triage::new(Settings::default(), function));
    let begin = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    for id in 0..invocations {
        let at = begin.plus_ms(id * apart_ms);
        let id = format!("79104eff-e5a6-4ecd-b1a5-{id:012}");
        let next = json!({"eventType": "INVOKE", "requestId": id, "deadlineMs": at.as_ms() + 3000});
        sandbox.event(&json!({"next": next}), at);
        let record = |kind: &str, record: Value| {
            json!({"time": at.to_string(), "type": kind, "record": record}).to_string()
        };
        sandbox.deliver(&record(
            "function",
            json!("[ERROR] KMSDisabledException: An error occurred (KMSDisabledException) when calling the Decrypt operation: the key is disabled."),
        ));
        let done = json!({"requestId": id, "status": "failure", "metrics": {"durationMs": 1.0}});
        sandbox.deliver(&record("platform.runtimeDone", done));
    }
    sandbox.end()
}

struct Sandbox {
    triage: Triage,
    told: Vec<Told>,
    now: Timestamp,
}

impl Sandbox {
    fn new(triage: Triage) -> Self {
        Self { triage, told: Vec::new(), now: Timestamp::default() }
    }

    fn event(&mut self, step: &Value, at: Timestamp) {
        let (next, dropped) = (&step["next"], &step["dropped"]);
        let text = |name: &str| next[name].as_str().unwrap_or_default().to_owned();
        self.now = self.now.max(at);
        if let Some(snapshot) = step.get("snapshot") {
            let snapshot = serde_json::from_value(snapshot.clone()).unwrap();
            let of = step["of"].as_str().unwrap_or_default();
            self.triage.handle_snapshot(of, &snapshot, self.now);
            return;
        }
        if let Some(request) = step.get("failedRequest") {
            self.triage.handle_failed_request(&outside::failed_request(request), self.now);
        } else if let Some(state) = step.get("functionState") {
            self.triage.handle_function_state(&outside::function_state(state), self.now);
        }
        match next["eventType"].as_str() {
            Some("INVOKE") => self.triage.handle_invoke(
                Invoke {
                    request_id: text("requestId"),
                    deadline: next["deadlineMs"].as_u64().map(Timestamp::from_ms),
                    function_arn: text("invokedFunctionArn"),
                    trace_header: next["tracing"]["value"].as_str().map(str::to_owned),
                },
                self.now,
            ),
            Some("SHUTDOWN") => {
                self.triage.handle_shutdown(&Shutdown { reason: text("shutdownReason") }, self.now);
            }
            _ if dropped.is_null() => {}
            _ => {
                let number = |name: &str| dropped[name].as_u64().unwrap();
                let (deliveries, bytes) = (number("deliveries"), number("bytes"));
                self.triage.handle_dropped(Dropped { deliveries, bytes }, self.now);
            }
        }
        self.poll();
    }

    fn deliver(&mut self, record: &str) {
        let mut body = Body::new(format!("[{record}]").into_bytes());
        while let Some(record) = body.next_record() {
            match record {
                Ok(record) => {
                    self.now = self.now.max(record.time.unwrap_or_default());
                    self.triage.handle_record(record, self.now);
                }
                Err(malformed) => self.triage.handle_malformed(malformed, self.now),
            }
        }
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(report) = self.triage.poll_report(self.now) {
            let line = serde_json::from_str(&report.to_line(true)).unwrap();
            self.told.push(Told { line, at_ms: self.now.as_ms() });
        }
    }

    fn end(mut self) -> Vec<Told> {
        self.now = self.now.plus_ms(300);
        self.triage.finish(self.now);
        self.poll();
        self.told
    }
}
