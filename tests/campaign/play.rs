//! Plays a plan in the local Lambda with the real extension.

use crate::plan::{Call, ERRORS, End, Family, Happening, Plan, SECRET, TIMEOUT};
use lambda_sandbox::{
    Config, Endpoint, ExtensionConfig, ExtensionExit, Faults, FunctionConfig, Invocation,
    InvocationOutcome, LifecycleConfig, LogEvent, LogFormat, LogSource, LogStream, MetricStore,
    Reading, Sandbox, ShutdownReason, cargo_bin_with_faults, cargo_example, occupy_port,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const EXTENSION: &str = "lambda-triage";
/// The ports that the extension tries first.
const PORTS: std::ops::Range<u16> = 9327..9343;

/// The descriptors of an extension that has started, and the time that one may be starting.
const STARTED: usize = 10;
const STARTING: Duration = Duration::from_millis(200);
/// Said by a function that waits to be killed.
const READY: &str = "ready: ";

/// What came of a plan.
pub(crate) struct Played {
    pub(crate) outcomes: Vec<InvocationOutcome>,
    pub(crate) exits: Vec<ExtensionExit>,
    pub(crate) log: Vec<LogEvent>,
    pub(crate) metrics: MetricStore,
    /// The records that the extension took.
    pub(crate) taken: Vec<Value>,
    /// At the end: resident memory at its highest in KiB, and descriptors.
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: usize,
}

impl Played {
    /// The end of the log, for the message of a failed test.
    pub(crate) fn shown(&self) -> String {
        let own = self.log.iter().filter(|event| event.source != LogSource::Function);
        let shown: Vec<_> = own.map(|event| format!("{event:.600}")).collect();
        shown[shown.len().saturating_sub(120)..].join("\n")
    }

    /// What the extension wrote to a stream.
    pub(crate) fn written(&self, stream: LogStream) -> impl Iterator<Item = &str> {
        let own = LogSource::Extension(EXTENSION.to_owned());
        let events = self.log.iter().filter(move |e| e.source == own && e.stream == stream);
        events.map(|event| event.text.as_str())
    }
}

/// Builds whatever a plan may need.
pub(crate) fn build() {
    cargo_bin_with_faults(EXTENSION).unwrap();
    for fixture in ["fixture_function", "fixture_extension"] {
        cargo_example(fixture).unwrap();
    }
}

pub(crate) async fn play(plan: &Plan) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let clock_file = folder.path().join("clock");
    let _taken: Vec<_> = match plan.has(Family::Ports) {
        true => PORTS.filter_map(|port| occupy_port(port).ok()).collect(),
        false => Vec::new(),
    };
    let sandbox = Sandbox::start(config(plan, clock_file)).await.unwrap();
    let mut outcomes = Vec::new();
    for call in &plan.calls {
        let invocation = Invocation::new(event(call).to_string())
            .with_request_id(&call.request_id)
            .with_trace_header(trace_header(call));
        let (outcome, ()) = tokio::join!(sandbox.invoke(invocation), disturb(&sandbox, call));
        outcomes.push(outcome.unwrap());
    }
    if plan.has(Family::SlowReader) {
        // Somebody reads in the end.
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            sandbox.read_output(EXTENSION, stream, Reading::Prompt);
        }
    }
    let pid = sandbox.extension_pid(EXTENSION);
    let (peak_kib, descriptors) =
        pid.map(|pid| (peak_kib(pid), descriptors(pid))).unwrap_or_default();
    sandbox.shutdown(ShutdownReason::Spindown).await;
    Played {
        outcomes,
        exits: sandbox.extension_exits(),
        log: sandbox.log(),
        metrics: sandbox.metrics(),
        taken: sandbox.taken_by(EXTENSION),
        peak_kib,
        descriptors,
    }
}

fn config(plan: &Plan, clock_file: PathBuf) -> Config {
    let function = cargo_example("fixture_function").unwrap();
    let extension = match plan.moves_the_clock() {
        true => cargo_bin_with_faults(EXTENSION).unwrap(),
        false => env!("CARGO_BIN_EXE_lambda-triage").into(),
    };
    let variables = [
        ("TRIAGE_FLUSH", plan.flush.to_owned()),
        ("TRIAGE_LOG", "debug".to_owned()),
        ("TRIAGE_FAULT_CLOCK", clock_file.to_string_lossy().into_owned()),
    ];
    let env = variables.map(|(name, value)| (name.to_owned(), value)).into();
    // A page: a few lines fill it.
    let pipe_bytes = Some(4096);
    let mut extensions = vec![ExtensionConfig { path: extension, env, pipe_bytes }];
    if let Some((name, value)) = plan.other_extension {
        let path = cargo_example("fixture_extension").unwrap();
        let env = vec![(name.to_owned(), value.to_owned())];
        extensions.push(ExtensionConfig { path, env, pipe_bytes: None });
    }
    let faults = Faults::default();
    for (endpoint, action) in &plan.at_start {
        faults.push(*endpoint, action.clone());
    }
    Config {
        function: FunctionConfig {
            name: "orders".into(),
            timeout: TIMEOUT,
            log_format: if plan.json_logs { LogFormat::Json } else { LogFormat::Text },
            env: vec![("DATABASE_PASSWORD".into(), SECRET.into())],
            ..FunctionConfig::new([function.to_string_lossy()])
        },
        extensions,
        lifecycle: LifecycleConfig {
            shutdown_timeout: plan.shutdown_timeout,
            clock_file: Some(clock_file),
            ..LifecycleConfig::default()
        },
        faults,
        ..Config::default()
    }
}

fn event(call: &Call) -> Value {
    let mut steps = Vec::new();
    for line in 0..call.lines {
        steps.push(json!({ "print": format!("order {line}, card token={SECRET}") }));
    }
    for &(error, times) in &call.errors {
        let text = ERRORS[error].0;
        let line = match call.named {
            true => {
                let message = format!("{}: {text}", call.mark());
                let id = &call.request_id;
                json!({"level": "ERROR", "requestId": id, "message": message}).to_string()
            }
            false => format!("[ERROR] {}: {text}", call.mark()),
        };
        for _ in 0..times {
            steps.push(json!({ "print": line }));
        }
    }
    steps.push(json!({ "sleep_ms": call.work_ms }));
    match call.end {
        End::Answer => {}
        End::Error => steps.push(json!({"error": format!("no order: {SECRET}")})),
        End::Exit => steps.push(json!({"exit": 3})),
        End::Abort => steps.push(json!({"abort": true})),
        End::Hang => steps.push(json!({"sleep_ms": 60_000})),
        End::Killed(_) => {
            steps.push(json!({"print": format!("{READY}{}", call.request_id)}));
            steps.push(json!({"sleep_ms": 60_000}));
        }
    }
    json!({"steps": steps, "password": SECRET})
}

fn trace_header(call: &Call) -> String {
    let id = call.request_id.replace('-', "");
    format!(
        "Root=1-{}-{};Parent={};Sampled=0;Lineage={}:a87bd80c:0",
        &id[..8],
        &id[8..],
        &id[16..],
        call.lineage
    )
}

/// Everything that is to happen while the invocation runs, and a little longer.
async fn disturb(sandbox: &Sandbox, call: &Call) {
    let mut passed = Duration::ZERO;
    let mut later = Vec::new();
    for fault in &call.faults {
        tokio::time::sleep(fault.after.saturating_sub(passed)).await;
        passed = fault.after;
        match &fault.happening {
            Happening::Api(action) => {
                sandbox.faults().push(Endpoint::ExtensionNext, action.clone())
            }
            Happening::Delivery(fault) => sandbox.faults().push_delivery(fault.clone()),
            Happening::Step { by_ms } => sandbox.step_clock(*by_ms).unwrap(),
            Happening::Read(stream, reading) => {
                sandbox.read_output(EXTENSION, *stream, *reading);
            }
            Happening::Nonsense(body) => {
                let answers = sandbox.deliver_raw(*body).await;
                // It may be down just now, but it never answers anything else.
                assert!(answers.iter().flatten().all(|status| *status == 200), "{answers:?}");
            }
            Happening::Freeze { time, clock_ms } => sandbox.pause(*time, *clock_ms).await.unwrap(),
            Happening::Gone(time) => {
                sandbox.refuse_extensions(true).await.unwrap();
                tokio::time::sleep(*time).await;
                sandbox.refuse_extensions(false).await.unwrap();
            }
            Happening::Descriptors { more, time } => {
                let Some(pid) = sandbox.extension_pid(EXTENSION) else { continue };
                let open = descriptors(pid);
                limit_descriptors(pid, Some(open as u64 + more));
                // One that has only just started could not go on for good without any.
                let time = time.or((open < STARTED).then_some(STARTING));
                later.extend(time.map(|time| (pid, time)));
            }
        }
    }
    if let End::Killed(after) = call.end {
        let ready = format!("{READY}{}", call.request_id);
        // It may have ended otherwise before.
        if sandbox.wait_for_log(|event| event.text.contains(&ready), TIMEOUT).await.is_ok() {
            tokio::time::sleep(after).await;
            sandbox.kill_runtime();
        }
    }
    for (pid, time) in later {
        tokio::time::sleep(time).await;
        limit_descriptors(pid, None);
    }
}

/// The most descriptors that a process may have.
fn limit_descriptors(pid: u32, limit: Option<u64>) {
    let pid = pid.try_into().ok().and_then(rustix::process::Pid::from_raw);
    let maximum = Some(1024);
    let limit = rustix::process::Rlimit { current: limit.or(maximum), maximum };
    // It may just have ended.
    let _ = rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit);
}

pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
