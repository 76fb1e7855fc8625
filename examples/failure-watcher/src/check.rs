//! Looks at the states of functions: what Lambda, KMS and the account say of them. Each question is asked
//! only if its permission is there; what could not be asked is told in one line each, and skipped.

mod access;
mod chosen;
mod concurrency;
mod configuration;
mod key;
mod recursion;

pub use access::{Access, AccessError};
pub use chosen::says_no;

use crate::arrival::CheckOf;
use crate::watcher::Watcher;
use access::{Api, CallError};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use triage_diagnosis::{FunctionState, KeyState, Timestamp};

/// The clients of a function that looks at states.
#[derive(Debug)]
pub struct Checks {
    api: Api,
}

/// What a check did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many functions were looked at.
    pub functions: usize,
    /// How many there was no time for.
    pub left_out: usize,
}

impl Checks {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(access: &Access) -> Self {
        Self { api: Api::new(access) }
    }

    /// Looks at the states of functions one after another, for at most so long.
    pub async fn run(
        &self,
        of: &CheckOf,
        watcher: &mut Watcher,
        budget: Duration,
        now: impl Fn() -> Timestamp,
    ) -> Checked {
        let begun = Instant::now();
        let until = begun + budget;
        // What is asked before the functions leaves them half of the time.
        let by = begun + budget / 2;
        let mut skipped = Skipped::default();
        let functions = match of {
            CheckOf::Named(names) => {
                let choice = &watcher.settings().functions;
                let chosen = chosen::among(&self.api, names, choice, by, &mut skipped).await;
                let left = chosen::each_once(names).len() - chosen.len();
                if left > 0 {
                    watcher.warn(&format!("{left} not looked at: their tag says no"), now());
                }
                chosen
            }
            CheckOf::Chosen | CheckOf::Scheduled => {
                let choice = &watcher.settings().functions;
                chosen::functions(&self.api, choice, by, &mut skipped).await
            }
        };
        let is_scheduled = *of == CheckOf::Scheduled;
        let mut checked = Checked::default();
        let mut keys = BTreeMap::new();
        let account = match functions.is_empty() {
            true => None,
            false => skipped.noted(concurrency::account(&self.api, by).await),
        };
        for (index, function) in functions.iter().enumerate() {
            let state = self.state(function, &mut keys, &mut skipped);
            let Ok(state) = tokio::time::timeout_at(until, state).await else {
                checked.left_out = functions.len() - index;
                break;
            };
            let Some((name, state)) = state else { continue };
            checked.functions += 1;
            let state = FunctionState { account, ..state };
            watcher.handle_state(&name, &state, is_scheduled, now());
        }
        watcher.warn_of_check(skipped.lines(), is_scheduled, now());
        if checked.left_out > 0 {
            let line =
                format!("{} functions were not looked at: no time was left", checked.left_out);
            watcher.warn(&line, now());
        }
        checked
    }

    /// All that may be known of one function, and its name; None if there is no such function.
    async fn state(
        &self,
        function: &str,
        keys: &mut BTreeMap<String, Option<KeyState>>,
        skipped: &mut Skipped,
    ) -> Option<(String, FunctionState)> {
        let asked = configuration::ask(&self.api, function).await;
        if let Err(CallError::NoFunction(_)) = asked {
            skipped.noted(asked);
            return None;
        }
        let asked = skipped.noted(asked);
        let mut known = asked.unwrap_or_else(|| configuration::unknown(function));
        known.state.reserved_concurrency =
            skipped.noted(concurrency::reserved(&self.api, function).await).flatten();
        known.state.recursive_loop =
            skipped.noted(recursion::ask(&self.api, function).await).flatten();
        if let Some(arn) = known.key_arn {
            // Functions share keys.
            if !keys.contains_key(&arn) {
                let key = skipped.noted(key::ask(&self.api, &arn).await);
                keys.insert(arn.clone(), key);
            }
            known.state.key = keys.get(&arn).cloned().flatten();
        }
        Some((known.name, known.state))
    }
}

/// What could not be asked, and how often.
#[derive(Debug, Default)]
struct Skipped(BTreeMap<CallError, u64>);

impl Skipped {
    /// The answer; a failure is counted.
    fn noted<T>(&mut self, answer: Result<T, CallError>) -> Option<T> {
        answer.map_err(|error| *self.0.entry(error).or_default() += 1).ok()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(error, times)| match times {
            1 => format!("skipped: {error}"),
            n => format!("skipped {n} times: {error}"),
        })
    }
}
