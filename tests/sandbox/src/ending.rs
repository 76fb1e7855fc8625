//! The end of an environment: SHUTDOWN, the time it leaves, SIGKILL.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::config::ReasonCase;
use crate::outcome::{ExtensionExit, ShutdownReason};
use crate::shared::Shared;

/// The share of the shutdown time that a runtime has from SIGTERM to SIGKILL.
const RUNTIME_SHARE: f64 = 0.3;
/// How long a killed process may take to be gone: it has to be scheduled once more.
const KILL_LIMIT: Duration = Duration::from_secs(5);

impl Shared {
    /// Ends the environment as Lambda does, and tells how each of its extensions ended.
    pub(crate) async fn end_environment(&self, reason: ShutdownReason) -> Vec<ExtensionExit> {
        let deadline = Instant::now() + self.config.lifecycle.shutdown_timeout;
        let (runtime, graceful) = self.change(|environment| {
            environment.ending = true;
            environment.initializing = false;
            environment.ready = false;
            let graceful = environment
                .extensions
                .iter()
                .any(|extension| extension.wants_shutdown && extension.exit.is_none());
            (environment.runtime.group, graceful)
        });
        self.thaw();
        if runtime != 0 {
            // With no extension to wait for, Lambda kills at once; a broken runtime always.
            if graceful && reason == ShutdownReason::Spindown {
                self.processes.terminate(runtime);
                let share = self.config.lifecycle.shutdown_timeout.mul_f64(RUNTIME_SHARE);
                self.wait_for_runtime_exit(Instant::now() + share).await;
            }
            self.processes.kill(runtime);
            self.wait_for_runtime_exit(Instant::now() + KILL_LIMIT).await;
        }
        let exits = self.end_extensions(reason, deadline).await;
        self.telemetry.close();
        self.change(|environment| {
            environment.runtime.release();
            environment.extensions.clear();
            environment.exits.extend(exits.iter().cloned());
        });
        exits
    }

    async fn wait_for_runtime_exit(&self, limit: Instant) {
        let exited = self.wait_until(|environment| environment.runtime.exited.then_some(()));
        let _ = timeout_at(limit, exited).await;
    }

    async fn end_extensions(
        &self,
        reason: ShutdownReason,
        deadline: Instant,
    ) -> Vec<ExtensionExit> {
        let begin = Instant::now();
        let spelt = match self.config.lifecycle.reason_case {
            ReasonCase::Lower => reason.as_str().to_owned(),
            ReasonCase::Upper => reason.as_str().to_uppercase(),
        };
        let left = deadline.saturating_duration_since(begin);
        let event = json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": spelt,
            "deadlineMs": self.clock.epoch_ms_in(left),
        });
        let to_kill = self.change(|environment| {
            let mut to_kill = Vec::new();
            for extension in &mut environment.extensions {
                if extension.wants_shutdown {
                    extension.send(event.clone());
                } else {
                    to_kill.push(extension.group);
                }
            }
            to_kill
        });
        let mut killed = self.kill_running(&to_kill);
        let _ = timeout_at(deadline, self.wait_for_extension_exits()).await;
        let late: Vec<i32> = self.environment().extensions.iter().map(|e| e.group).collect();
        killed.extend(self.kill_running(&late));
        let _ = timeout_at(Instant::now() + KILL_LIMIT, self.wait_for_extension_exits()).await;

        let environment = self.environment();
        let exits = environment.extensions.iter().filter_map(|extension| {
            // One that was never started, or that even SIGKILL has not ended yet, has no exit.
            let (status, at) = extension.exit?;
            Some(ExtensionExit {
                name: extension.name.clone(),
                reason,
                code: status.code(),
                signal: status.signal(),
                took: at.saturating_duration_since(begin),
                killed: killed.contains(&extension.group),
            })
        });
        exits.collect()
    }

    /// Kills those of these groups that have not ended; which they were.
    fn kill_running(&self, groups: &[i32]) -> Vec<i32> {
        let running: Vec<i32> = self
            .environment()
            .extensions
            .iter()
            .filter(|extension| extension.exit.is_none() && groups.contains(&extension.group))
            .map(|extension| extension.group)
            .filter(|&group| group != 0)
            .collect();
        running.iter().for_each(|&group| self.processes.kill(group));
        running
    }

    async fn wait_for_extension_exits(&self) {
        self.wait_until(|environment| {
            let mut started = environment.extensions.iter().filter(|e| e.group != 0);
            started.all(|extension| extension.exit.is_some()).then_some(())
        })
        .await;
    }
}
