//! The scenarios.

use lambda_sandbox::{Invocation, InvocationOutcome, Sandbox, SandboxError, Status};
use serde_json::Value;

/// A few invocations of the function, and what the extension must say about them.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Kebab-case; distinct.
    pub name: &'static str,
    /// One line for a heading.
    pub title: &'static str,
    /// What happens in it, for somebody who watches.
    pub story: &'static str,
    /// The invocations, in order.
    pub calls: Vec<Call>,
    /// The diagnoses, in the order of the invocations. Lines of stage `imminent` may come besides.
    pub expected: Vec<Expected>,
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct Call {
    /// The event.
    pub event: &'static str,
    /// The trace header that it carries.
    pub trace: Trace,
    /// How it must end: the sign that what the scenario is about did happen.
    pub status: Status,
}

/// The X-Amzn-Trace-Id header of a [`Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// A fresh one.
    Fresh,
    /// This one.
    Given(&'static str),
    /// What the invocation before handed on: its answer's `next`, so that it invokes itself.
    HandedOn,
}

/// A diagnosis that must come.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The index among the scenario's calls of the invocation that it is about.
    pub call: usize,
    /// The problem.
    pub problem: &'static str,
    /// `suspected` or `confirmed`.
    pub stage: &'static str,
    /// `function`, `caller` or `outside`.
    pub view: &'static str,
    /// Every metric in its line, with its value.
    pub metrics: Vec<(&'static str, f64)>,
}

impl Expected {
    pub(crate) fn confirmed(
        call: usize,
        problem: &'static str,
        view: &'static str,
        metric: &'static str,
    ) -> Self {
        let metrics = vec![(metric, 1.0), ("Problems", 1.0)];
        Self { call, problem, stage: "confirmed", view, metrics }
    }
}

impl Call {
    fn new(event: &'static str, status: Status) -> Self {
        Self { event, trace: Trace::Fresh, status }
    }

    fn chained(trace: Trace) -> Self {
        Self { event: r#"{"problem":"recursion"}"#, trace, status: Status::Success }
    }
}

impl Scenario {
    /// Makes the invocations one after the other.
    ///
    /// # Errors
    /// When the sandbox fails, or one of them ends in another way than [`Call::status`].
    pub async fn play(&self, sandbox: &Sandbox) -> Result<Vec<InvocationOutcome>, PlayError> {
        let mut outcomes: Vec<InvocationOutcome> = Vec::new();
        for call in &self.calls {
            let invocation = Invocation::new(call.event);
            let invocation = match call.trace {
                Trace::Fresh => invocation,
                Trace::Given(header) => invocation.with_trace_header(header),
                Trace::HandedOn => {
                    let next = outcomes.last().and_then(handed_on);
                    invocation.with_trace_header(next.ok_or(PlayError::NothingHandedOn)?)
                }
            };
            let outcome = sandbox.invoke(invocation).await?;
            if outcome.status != call.status {
                return Err(PlayError::Status { event: call.event, outcome: Box::new(outcome) });
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}

/// The trace header that an invocation handed on to the one it causes, as the function tells it.
#[must_use]
pub fn handed_on(outcome: &InvocationOutcome) -> Option<String> {
    let answer: Value = serde_json::from_slice(&outcome.payload).ok()?;
    Some(answer.get("next")?.as_str()?.to_owned())
}

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An invocation ended in another way than it should.
    #[error("{event} ended as {status}: {payload}", status = .outcome.status.as_str(),
        payload = .outcome.payload_text())]
    Status {
        /// Its event.
        event: &'static str,
        /// How it ended.
        outcome: Box<InvocationOutcome>,
    },
    /// The answer of the invocation before a [`Trace::HandedOn`] held no header.
    #[error("the function handed no trace header on")]
    NothingHandedOn,
}

/// All of them, in an order for watching.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "healthy",
            title: "A healthy invocation",
            story: "The handler answers. The extension has nothing to say, and says nothing.",
            calls: vec![Call::new(r#"{"problem":"healthy"}"#, Status::Success)],
            expected: vec![],
        },
        Scenario {
            name: "near-timeout",
            title: "A near-timeout",
            story: "The handler answers, but it has used up more than nine tenths of its time.",
            calls: vec![Call::new(r#"{"problem":"near-timeout","percent":94}"#, Status::Success)],
            expected: vec![Expected::confirmed(0, "near-timeout", "function", "NearTimeouts")],
        },
        Scenario {
            name: "timeout",
            title: "A timeout",
            story: "The handler waits for a server that never answers when the function's 2 s are over; Lambda kills it.",
            calls: vec![Call::new(r#"{"problem":"timeout"}"#, Status::Timeout)],
            expected: vec![Expected::confirmed(0, "timeout", "function", "Timeouts")],
        },
        Scenario {
            name: "out-of-memory",
            title: "A function that runs out of memory",
            story: "The handler fills more memory than the function has; Lambda kills it.",
            calls: vec![Call::new(r#"{"problem":"out-of-memory"}"#, Status::Failure)],
            expected: vec![Expected::confirmed(0, "out-of-memory", "function", "OutOfMemory")],
        },
        Scenario {
            name: "crash",
            title: "A crash of the runtime",
            story: "The process aborts in the middle of an invocation, as native code does that \
                    goes wrong.",
            calls: vec![Call::new(r#"{"problem":"crash"}"#, Status::Failure)],
            expected: vec![Expected::confirmed(0, "runtime-crash", "function", "Crashes")],
        },
        Scenario {
            name: "kms",
            title: "A KMS failure in the handler's log",
            story: "The handler asks KMS to decrypt with a key that is disabled, logs the error of \
                    boto3, and carries on as if nothing had happened.",
            calls: vec![Call::new(
                r#"{"problem":"kms-disabled","sdk":"python","caught":true}"#,
                Status::Success,
            )],
            expected: vec![Expected::confirmed(0, "kms-disabled", "function", "KmsErrors")],
        },
        Scenario {
            name: "efs",
            title: "A call to a function whose EFS mount fails",
            story: "The handler invokes another function. Its file system cannot be mounted, so \
                    that it never starts and logs nothing: only its caller's log shows why.",
            calls: vec![Call::new(
                r#"{"problem":"efs-mount-failure","sdk":"python"}"#,
                Status::Error,
            )],
            expected: vec![Expected::confirmed(0, "efs-mount-failure", "caller", "EfsFailures")],
        },
        Scenario {
            name: "recursion",
            title: "A chain that calls itself",
            story: "Each invocation invokes the function again. Lambda's own count, the Lineage in \
                    the trace header, grows with each pass.",
            calls: chain(
                5,
                "Root=1-6a3b1c2d-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0;\
                 Lineage=1:a87bd80c:0",
            ),
            expected: vec![recursion(3, 4.0), recursion(4, 5.0)],
        },
        Scenario {
            name: "blind-recursion",
            title: "A chain that Lambda's own guard cannot see",
            story: "Something in the chain does not pass the Lineage on, so that Lambda would let \
                    it run for ever. The same trace comes back, by a new parent each time: that \
                    is suspicious, and no proof.",
            calls: chain(
                4,
                "Root=1-6a3b1c2e-89abcdef0123456789abcdef;Parent=53995c3f42cd8ad8;Sampled=0",
            ),
            expected: vec![Expected {
                call: 3,
                problem: "recursion",
                stage: "suspected",
                view: "function",
                metrics: vec![("SuspectedProblems", 1.0)],
            }],
        },
    ]
}

fn chain(passes: usize, first: &'static str) -> Vec<Call> {
    let mut calls = vec![Call::chained(Trace::HandedOn); passes];
    calls[0].trace = Trace::Given(first);
    calls
}

fn recursion(call: usize, depth: f64) -> Expected {
    Expected {
        call,
        problem: "recursion",
        stage: "confirmed",
        view: "function",
        metrics: vec![("Recursions", 1.0), ("RecursionDepth", depth), ("Problems", 1.0)],
    }
}
