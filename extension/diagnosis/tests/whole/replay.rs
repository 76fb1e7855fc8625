//! Replays a fixture: the events and records of a sandbox, in the ways they may arrive.

#[path = "outside.rs"]
mod outside;

use outside::{failed_request, function_state};
use serde_json::Value;
use std::path::{Path, PathBuf};
use triage_diagnosis::{
    Body, Dropped, Function, InvocationRate, Invoke, Mount, Settings, Shutdown, Timestamp, Triage,
};

/// One fixture: `telemetry.ndjson` holds telemetry records and, as `{"at", "next"}`, events of the
/// Extensions API or, as `{"at", "dropped"}`, what the shell left out or, as `{"at", "of", "snapshot"}`,
/// what it read of the function's processes or, as `{"at", "failedRequest"}` and `{"at", "functionState"}`,
/// what is known outside of it; `expected.json` the lines that
/// must come out, as far as they matter; `given.json`, if there is one, settings and mounts.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) problem: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: Vec<Value>,
    /// How it differs from most: settings, a function that runs several invocations at once, or records
    /// that mean something in their order alone (`ordered`).
    pub(crate) given: Value,
}

/// What happens next in a sandbox.
#[derive(Clone)]
pub(crate) enum Step {
    Event(Value),
    /// Records as they may come in one delivery.
    Records(Vec<String>),
}

pub(crate) fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut fixtures: Vec<Fixture> =
        folders(&root).iter().flat_map(|problem| folders(problem)).map(|c| read(&c)).collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!fixtures.is_empty(), "{}", root.display());
    fixtures
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

fn read(case: &Path) -> Fixture {
    let text = |name: &str| std::fs::read_to_string(case.join(name));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let problem = name(case.parent().unwrap());
    let mut steps: Vec<Step> = Vec::new();
    for line in text("telemetry.ndjson").unwrap().lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        match steps.last_mut() {
            _ if value.get("at").is_some() => steps.push(Step::Event(value)),
            Some(Step::Records(records)) => records.push(line.to_owned()),
            _ => steps.push(Step::Records(vec![line.to_owned()])),
        }
    }
    Fixture {
        name: format!("{problem}/{}", name(case)),
        problem,
        steps,
        expected: serde_json::from_str(&text("expected.json").unwrap()).unwrap(),
        given: text("given.json")
            .map_or(Value::Null, |given| serde_json::from_str(&given).unwrap()),
    }
}

impl Fixture {
    /// The size of all that comes in.
    pub(crate) fn bytes(&self) -> usize {
        let size = |step: &Step| match step {
            Step::Event(event) => event.to_string().len(),
            Step::Records(records) => records.iter().map(String::len).sum(),
        };
        self.steps.iter().map(size).sum()
    }

    /// The lines that come out when the steps come in: the same to the byte whether healthy records are
    /// skipped, as the shell does, or decoded.
    pub(crate) fn replay(&self, steps: &[Step]) -> Vec<Value> {
        let skipped = self.lines(steps, true);
        assert_eq!(skipped, self.lines(steps, false), "{}: skipped, and decoded", self.name);
        skipped.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn lines(&self, steps: &[Step], skips: bool) -> Vec<String> {
        let mut sandbox = Sandbox {
            triage: Triage::new(self.settings(), self.function()),
            skips,
            lines: Vec::new(),
            now: Timestamp::default(),
        };
        if let Some(mounts) = self.given["mounts"].as_array() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let mount = |m: &Value| Mount {
                point: text(&m["point"]),
                fs_type: text(&m["fsType"]),
                is_read_only: false,
            };
            sandbox.triage.handle_mounts(mounts.iter().map(mount).collect());
        }
        for step in steps {
            match step {
                Step::Event(event) => sandbox.event(event),
                Step::Records(records) => sandbox.deliver(records),
            }
            sandbox.poll();
        }
        sandbox.now = sandbox.now.plus_ms(300);
        sandbox.triage.finish(sandbox.now);
        sandbox.poll();
        sandbox.lines
    }

    /// Each expected line with the one of `lines` that fulfils it, if any, and those that nobody
    /// expected.
    pub(crate) fn compare(
        &self,
        mut lines: Vec<Value>,
    ) -> (Vec<(&Value, Option<Value>)>, Vec<Value>) {
        let answer = |expected| {
            let found = lines.iter().position(|line| holds(line, expected));
            (expected, found.map(|at| lines.remove(at)))
        };
        let answered = self.expected.iter().map(answer).collect();
        (answered, lines)
    }

    fn settings(&self) -> Settings {
        let default = Settings::default();
        let number = |value: &Value| value.as_u64().map(|n| u32::try_from(n).unwrap());
        let rate = &self.given["recursionRate"];
        Settings {
            recursion_rate: number(&rate["invocations"])
                .zip(number(&rate["seconds"]))
                .map(|(invocations, seconds)| InvocationRate { invocations, seconds }),
            near_timeout_percent: number(&self.given["nearTimeoutPercent"])
                .map_or(default.near_timeout_percent, |n| u8::try_from(n).unwrap()),
            ..default
        }
    }

    fn function(&self) -> Function {
        Function {
            name: "orders".into(),
            version: "$LATEST".into(),
            concurrent: self.given["concurrent"] == true,
            memory_size_mb: self.given["memorySizeMb"].as_u64(),
        }
    }
}

struct Sandbox {
    triage: Triage,
    skips: bool,
    lines: Vec<String>,
    now: Timestamp,
}

impl Sandbox {
    fn event(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.now = self.now.max(Timestamp::parse(&text(&event["at"])).unwrap());
        if let Some(dropped) = event.get("dropped") {
            let number = |name: &str| dropped[name].as_u64().unwrap();
            let (deliveries, bytes) = (number("deliveries"), number("bytes"));
            self.triage.handle_dropped(Dropped { deliveries, bytes }, self.now);
            return;
        }
        if let Some(snapshot) = event.get("snapshot") {
            let snapshot = serde_json::from_value(snapshot.clone()).unwrap();
            self.triage.handle_snapshot(&text(&event["of"]), &snapshot, self.now);
            return;
        }
        if let Some(request) = event.get("failedRequest") {
            self.triage.handle_failed_request(&failed_request(request), self.now);
            return;
        }
        if let Some(state) = event.get("functionState") {
            self.triage.handle_function_state(&function_state(state), self.now);
            return;
        }
        let next = &event["next"];
        match next["eventType"].as_str().unwrap() {
            "INVOKE" => self.triage.handle_invoke(
                Invoke {
                    request_id: text(&next["requestId"]),
                    deadline: next["deadlineMs"].as_u64().map(Timestamp::from_ms),
                    function_arn: text(&next["invokedFunctionArn"]),
                    trace_header: next["tracing"]["value"].as_str().map(str::to_owned),
                },
                self.now,
            ),
            "SHUTDOWN" => {
                let shutdown = Shutdown { reason: text(&next["shutdownReason"]) };
                self.triage.handle_shutdown(&shutdown, self.now);
            }
            other => panic!("{other}"),
        }
    }

    fn deliver(&mut self, records: &[String]) {
        let mut body = Body::new(format!("[{}]", records.join(",")).into_bytes());
        loop {
            if self.skips {
                let made = |time| self.now = self.now.max(time);
                self.triage.skip_healthy(&mut body, usize::MAX, made);
            }
            let Some(record) = body.next_record() else { break };
            match record {
                Ok(record) => {
                    self.now = self.now.max(record.time.unwrap_or_default());
                    self.triage.handle_record(record, self.now);
                }
                Err(malformed) => self.triage.handle_malformed(malformed, self.now),
            }
        }
    }

    fn poll(&mut self) {
        while let Some(report) = self.triage.poll_report(self.now) {
            self.lines.push(report.to_line(true));
        }
        assert_eq!(self.triage.poll_fault(), None);
    }
}

/// Whether `line` holds all that `part` says.
pub(crate) fn holds(line: &Value, part: &Value) -> bool {
    match (line, part) {
        (Value::Object(line), Value::Object(part)) => {
            part.iter().all(|(name, part)| line.get(name).is_some_and(|line| holds(line, part)))
        }
        (Value::Number(line), Value::Number(part)) => line.as_f64() == part.as_f64(),
        _ => line == part,
    }
}
