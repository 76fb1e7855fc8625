//! One invocation in an environment that takes one at a time.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::environment::{Answer, Event, Failure};
use crate::error::SandboxError;
use crate::init::OUT_OF_MEMORY;
use crate::outcome::{
    InitOutcome, InitPhase, Invocation, InvocationOutcome, ShutdownReason, Status,
};
use crate::platform::{Conclusion, Figures, billed_ms};
use crate::shared::{Phase, Shared, ms};

/// How the work of the runtime on one invocation ended.
enum RuntimeEnd {
    /// It answered and asked for the next; at this time.
    Done(Instant),
    Failed(Failure),
    TimedOut,
}

impl Shared {
    pub(crate) async fn invoke(
        self: Arc<Self>,
        invocation: Invocation,
    ) -> Result<InvocationOutcome, SandboxError> {
        if self.is_managed() {
            return self.invoke_managed(invocation).await;
        }
        let mut phase = self.phase.lock().await;
        if self.is_shut_down() {
            return Err(SandboxError::ShutDown);
        }
        let restore_ms = if std::mem::take(&mut phase.to_restore) && self.environment().ready {
            self.restore().await
        } else {
            None
        };
        let mut run = Run::begin(&self, invocation);
        run.restore_ms = restore_ms;
        self.telemetry.set_request_id(Some(run.event.request_id.clone()));
        self.emit_start(&run.event);
        let outcome = self.run(run, &mut phase).await;
        self.telemetry.set_request_id(None);
        outcome
    }

    async fn run(
        self: &Arc<Self>,
        mut run: Run,
        phase: &mut Phase,
    ) -> Result<InvocationOutcome, SandboxError> {
        run.init = phase.cold_start.take().filter(|init| init.status == Status::Success);
        if !self.environment().ready {
            let (init, failure) = self.initialize(InitPhase::Invoke, run.deadline).await?;
            run.init = Some(init);
            if let Some(failure) = failure {
                return Ok(self.conclude_broken(run, failure, None));
            }
            // No snapshot is taken of it, but a runtime that waits for one is not left waiting.
            if self.environment().runtime.restore.is_some() {
                run.restore_ms = self.restore().await;
            }
        }
        self.thaw();
        self.hand_out(&run.event);
        match self.wait_for_runtime(&run).await {
            RuntimeEnd::Done(at) => self.after_runtime(run, at).await,
            RuntimeEnd::Failed(failure) => {
                let answer = self.answer_of(&run.event.request_id);
                run.measure(self);
                if failure.error_type == OUT_OF_MEMORY {
                    run.max_memory_used_mb = self.config.function.memory_mb.into();
                }
                let conclusion = Conclusion {
                    status: failure.status,
                    error_type: Some(failure.error_type.clone()),
                };
                let now = Instant::now();
                self.emit_runtime_done(&run.event, &conclusion, run.begin, now, answer.as_ref());
                let outcome = self.conclude_broken(run, failure, answer);
                self.end_environment(ShutdownReason::Failure).await;
                Ok(outcome)
            }
            RuntimeEnd::TimedOut => {
                run.measure(self);
                let answer = self.answer_of(&run.event.request_id);
                let runtime = self.environment().runtime.group;
                // It is being ended: its exit is no crash.
                self.change(|environment| environment.ending = true);
                self.processes.kill(runtime);
                let conclusion = Conclusion { status: Status::Timeout, error_type: None };
                let now = Instant::now();
                self.emit_runtime_done(&run.event, &conclusion, run.begin, now, answer.as_ref());
                let outcome = self.conclude_timeout(run);
                self.end_environment(ShutdownReason::Timeout).await;
                Ok(outcome)
            }
        }
    }

    /// INVOKE to the extensions and the event to the runtime.
    fn hand_out(&self, event: &Event) {
        let invoke = json!({
            "eventType": "INVOKE",
            "deadlineMs": event.deadline_ms,
            "requestId": event.request_id,
            "invokedFunctionArn": self.config.function.arn(),
            "tracing": {"type": "X-Amzn-Trace-Id", "value": event.trace_header},
        });
        self.change(|environment| {
            for extension in environment.extensions.iter_mut().filter(|e| e.wants_invoke) {
                extension.invoked = None;
                extension.send(invoke.clone());
            }
            environment.runtime.send(event.clone());
        });
    }

    async fn wait_for_runtime(&self, run: &Run) -> RuntimeEnd {
        let id = &run.event.request_id;
        let done = self.wait_until(|environment| {
            let answered =
                environment.runtime.in_flight.get(id).is_some_and(|f| f.answer.is_some());
            match (environment.runtime.asked, environment.failure.clone()) {
                (Some(at), _) if answered => Some(RuntimeEnd::Done(at)),
                (_, Some(failure)) => Some(RuntimeEnd::Failed(failure)),
                _ => None,
            }
        });
        timeout_at(run.deadline, done).await.unwrap_or(RuntimeEnd::TimedOut)
    }

    /// The runtime is done; the extensions may not be.
    async fn after_runtime(
        self: &Arc<Self>,
        mut run: Run,
        runtime_done: Instant,
    ) -> Result<InvocationOutcome, SandboxError> {
        // Set: this is what was waited for.
        let answer = self.answer_of(&run.event.request_id);
        let error_type = answer.as_ref().and_then(|answer| answer.error_type.clone());
        let status = if error_type.is_some() { Status::Error } else { Status::Success };
        let conclusion = Conclusion { status, error_type };
        self.emit_runtime_done(&run.event, &conclusion, run.begin, runtime_done, answer.as_ref());
        let idle = self.wait_until(|environment| match environment.failure.clone() {
            Some(failure) => Some(Err(failure)),
            None => environment.extensions_idle().map(Ok),
        });
        let idle = timeout_at(run.deadline, idle).await;
        run.duration = runtime_done - run.begin;
        run.measure(self);
        match idle {
            Ok(Ok(last_asked)) => {
                let last_asked = last_asked.unwrap_or(runtime_done);
                run.post_runtime = last_asked.saturating_duration_since(runtime_done);
                let payload = answer.map(|answer| answer.payload).unwrap_or_default();
                let outcome = self.conclude(run, conclusion, payload);
                self.freeze();
                Ok(outcome)
            }
            Ok(Err(failure)) => {
                run.post_runtime = run.begin.elapsed().saturating_sub(run.duration);
                let outcome = self.conclude_broken(run, failure, answer);
                self.end_environment(ShutdownReason::Failure).await;
                Ok(outcome)
            }
            Err(_) => {
                run.post_runtime = run.begin.elapsed().saturating_sub(run.duration);
                let outcome = self.conclude_timeout(run);
                self.end_environment(ShutdownReason::Timeout).await;
                Ok(outcome)
            }
        }
    }

    fn answer_of(&self, request_id: &str) -> Option<Answer> {
        self.environment().runtime.forget(request_id)?.answer
    }

    pub(crate) fn conclude_timeout(&self, run: Run) -> InvocationOutcome {
        self.log_timeout(&run.event);
        let message = self.timeout_message();
        let payload = error_payload("Sandbox.Timedout", &run.event, &message);
        self.conclude(run, Conclusion { status: Status::Timeout, error_type: None }, payload)
    }

    /// The environment broke; an answer that came before that still counts for the caller.
    pub(crate) fn conclude_broken(
        &self,
        run: Run,
        failure: Failure,
        answer: Option<Answer>,
    ) -> InvocationOutcome {
        if failure.status == Status::Timeout {
            return self.conclude_timeout(run);
        }
        let id = &run.event.request_id;
        let Failure { status, error_type, message, payload } = failure;
        self.telemetry.platform_text(format!("RequestId: {id} Error: {message}\n{error_type}"));
        let payload = answer
            .map(|answer| answer.payload)
            .or(payload)
            .unwrap_or_else(|| error_payload(&error_type, &run.event, &message));
        self.conclude(run, Conclusion { status, error_type: Some(error_type) }, payload)
    }

    pub(crate) fn conclude(
        &self,
        mut run: Run,
        conclusion: Conclusion,
        payload: Bytes,
    ) -> InvocationOutcome {
        if run.duration.is_zero() {
            run.duration = run.begin.elapsed();
        }
        let cold_start = run.init.as_ref().filter(|init| init.phase == InitPhase::Init);
        let init_duration_ms = cold_start.map(|init| init.duration_ms);
        let init = Duration::from_secs_f64(init_duration_ms.unwrap_or(0.0) / 1000.0);
        let figures = Figures {
            duration_ms: ms(run.duration),
            billed_duration_ms: billed_ms(&[init, run.duration, run.post_runtime]),
            init_duration_ms: init_duration_ms.filter(|_| !self.is_snap_start()),
            restore_duration_ms: run.restore_ms,
            max_memory_used_mb: run.max_memory_used_mb,
        };
        self.emit_report(&run.event, &conclusion, &figures);
        InvocationOutcome {
            request_id: run.event.request_id,
            function_error: conclusion.status != Status::Success,
            status: conclusion.status,
            error_type: conclusion.error_type,
            payload,
            started: run.started,
            duration_ms: figures.duration_ms,
            post_runtime_ms: ms(run.post_runtime),
            init: run.init,
            extension_next_ms: run.extension_next_ms,
            max_memory_used_mb: run.max_memory_used_mb,
        }
    }
}

/// One invocation under way, and what was measured of it.
pub(crate) struct Run {
    pub(crate) event: Event,
    pub(crate) started: SystemTime,
    pub(crate) begin: Instant,
    pub(crate) deadline: Instant,
    pub(crate) init: Option<InitOutcome>,
    pub(crate) restore_ms: Option<f64>,
    pub(crate) duration: Duration,
    pub(crate) post_runtime: Duration,
    pub(crate) extension_next_ms: BTreeMap<String, f64>,
    pub(crate) max_memory_used_mb: u64,
}

impl Run {
    pub(crate) fn begin(shared: &Shared, invocation: Invocation) -> Self {
        let timeout = shared.config.function.timeout;
        let begin = Instant::now();
        let payload =
            if invocation.payload.is_empty() { Bytes::from("{}") } else { invocation.payload };
        let event = Event {
            request_id: invocation.request_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            payload,
            deadline_ms: shared.clock.epoch_ms_in(timeout),
            trace_header: invocation.trace_header.unwrap_or_else(|| {
                fresh_trace_header(&shared.config.function.arn(), &shared.clock)
            }),
            client_context: invocation.client_context,
        };
        Self {
            event,
            started: shared.clock.now(),
            begin,
            deadline: begin + timeout,
            init: None,
            restore_ms: None,
            duration: Duration::ZERO,
            post_runtime: Duration::ZERO,
            extension_next_ms: BTreeMap::new(),
            max_memory_used_mb: 0,
        }
    }

    /// Takes what is gone once the processes are.
    fn measure(&mut self, shared: &Shared) {
        self.max_memory_used_mb = shared.processes.peak_memory_mb();
        self.extension_next_ms = shared
            .environment()
            .extensions
            .iter()
            .filter_map(|e| {
                Some((e.name.clone(), ms(e.asked?.checked_duration_since(e.invoked?)?)))
            })
            .collect();
    }
}

fn error_payload(error_type: &str, event: &Event, message: &str) -> Bytes {
    let message = format!("RequestId: {} Error: {message}", event.request_id);
    json!({"errorType": error_type, "errorMessage": message}).to_string().into()
}

/// A header such as Lambda makes for a caller that sent none: not sampled, the first of its line.
fn fresh_trace_header(arn: &str, clock: &Clock) -> String {
    let seconds = clock.epoch_ms_in(Duration::ZERO) / 1000;
    let random = uuid::Uuid::new_v4().simple().to_string();
    let parent = uuid::Uuid::new_v4().simple().to_string();
    let mut hasher =
        std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().build_hasher();
    hasher.write(arn.as_bytes());
    let lineage = hasher.finish() as u32;
    format!(
        "Root=1-{seconds:08x}-{};Parent={};Sampled=0;Lineage=1:{lineage:08x}:0",
        &random[..24],
        &parent[..16]
    )
}
