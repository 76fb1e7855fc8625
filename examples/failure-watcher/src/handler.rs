//! One event: what it holds is told, and it is answered.

use crate::arrival::Arrival;
use crate::check::{Access, AccessError, Checks};
use crate::settings::Settings;
use crate::watcher::Watcher;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;
use triage_diagnosis::Timestamp;
use triage_diagnosis::failed_requests;

/// So long before the deadline a check ends.
const BEFORE_DEADLINE: Duration = Duration::from_secs(2);

/// What stays from one event to the next.
#[derive(Debug)]
pub struct Handler<W> {
    watcher: Watcher,
    access: Result<Access, AccessError>,
    checks: Option<Checks>,
    out: W,
}

impl<W: Write> Handler<W> {
    /// With the settings and AWS's variables of this environment; lines go to `out`.
    pub fn new(lookup: impl Fn(&str) -> Option<String>, out: W, now: Timestamp) -> Self {
        let (settings, bad) = Settings::from_lookup(&lookup);
        let mut watcher = Watcher::new(settings);
        for bad in bad {
            watcher.warn(&bad.to_string(), now);
        }
        Self { watcher, access: Access::from_lookup(lookup), checks: None, out }
    }

    /// Handles an event, a text of JSON; `left` is the time until the deadline. The answer names the messages of a queue
    /// that are to stay in it (`batchItemFailures`), or counts what a check did.
    ///
    /// # Errors
    /// If lines cannot be written: then the event should come again, and nothing of it counts as told.
    pub async fn handle(
        &mut self,
        event: &str,
        left: Duration,
        now: impl Fn() -> Timestamp,
    ) -> io::Result<Value> {
        // What is none is refused as the text that it is.
        let event =
            failed_requests::json(event).unwrap_or_else(|_| Value::String(event.to_owned()));
        let answer = match Arrival::read(&event, self.watcher.settings()) {
            Arrival::Items(items) => {
                let refused = self.watcher.handle_items(&items, now());
                let failures: Vec<Value> =
                    refused.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
                json!({"batchItemFailures": failures})
            }
            Arrival::Check(of) => {
                let checks = match (&mut self.checks, &self.access) {
                    (Some(checks), _) => Ok(checks),
                    (none, Ok(access)) => Ok(none.insert(Checks::new(access))),
                    (None, Err(error)) => Err(*error),
                };
                match checks {
                    Ok(checks) => {
                        let budget = left.saturating_sub(BEFORE_DEADLINE);
                        let checked = checks.run(&of, &mut self.watcher, budget, &now).await;
                        json!({"functions": checked.functions, "leftOut": checked.left_out})
                    }
                    Err(error) => {
                        self.watcher.warn(&format!("states cannot be looked at: {error}"), now());
                        json!({"functions": 0, "leftOut": 0})
                    }
                }
            }
        };
        let written = self.write(now());
        self.watcher.settle(written.is_ok());
        written.map(|()| answer)
    }

    /// Where lines go.
    pub fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn write(&mut self, now: Timestamp) -> io::Result<()> {
        for line in self.watcher.take_lines(now) {
            // In one piece, as a record of the log.
            self.out.write_all((line + "\n").as_bytes())?;
        }
        self.out.flush()
    }
}
