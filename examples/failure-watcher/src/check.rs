//! Looks at the states of functions: what Lambda, KMS and the account say of them. Each question is asked
//! only if its permission is there; what could not be asked is told in one line each, and skipped.

mod access;
mod chosen;
mod concurrency;
mod configuration;
mod key;
mod recursion;
mod skipped;

pub use access::{Access, AccessError};
pub use chosen::says_no;

use crate::arrival::CheckOf;
use crate::watcher::Watcher;
use access::{Api, CallError};
use skipped::Skipped;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use triage_diagnosis::failed_requests::ListedName;
use triage_diagnosis::{FunctionState, KeyState, Timestamp};

/// The clients of a function that looks at states.
#[derive(Debug)]
pub struct Checks {
    api: Api,
    /// Where the next check of all begins: the last one had no time from there on, and it is not always to
    /// be the same functions that are left out.
    next: Option<String>,
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
        Self { api: Api::new(access), next: None }
    }

    /// Looks at the states of functions one after another, for at most so long.
    pub async fn run(
        &mut self,
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
        let mut functions = match of {
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
        let is_of_all = !matches!(of, CheckOf::Named(_));
        let next = self.next.take_if(|_| is_of_all);
        if let Some(first) = functions.iter().position(|name| next.as_ref() == Some(name)) {
            functions.rotate_left(first);
        }
        let is_scheduled = *of == CheckOf::Scheduled;
        let mut checked = Checked::default();
        let mut keys = BTreeMap::new();
        let account = match functions.is_empty() {
            true => None,
            false => {
                let account = concurrency::account(&self.api, by);
                skipped.ask(concurrency::OF_ACCOUNT, "", account).await
            }
        };
        for (index, function) in functions.iter().enumerate() {
            let answers = skipped.answers();
            let state = self.state(function, &mut keys, &mut skipped);
            let Ok(state) = tokio::time::timeout_at(until, state).await else {
                checked.left_out = functions.len() - index;
                if is_of_all {
                    // One that takes all of the time is not waited for again and again.
                    self.next = functions.get(index.max(1)).cloned();
                }
                break;
            };
            let Some((name, state)) = state else { continue };
            checked.functions += usize::from(skipped.answers() > answers);
            let state = FunctionState { account, ..state };
            watcher.handle_state(function, &name, &state, is_scheduled, now());
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
        let asked = configuration::ask(&self.api, function);
        let mut known = match skipped.ask(configuration::ACTION, function, asked).await {
            Some(Some(known)) => known,
            Some(None) => {
                skipped.note(CallError::NoFunction(function.to_owned()), function);
                return None;
            }
            None => configuration::unknown(function),
        };
        // A version or an alias has none of its own.
        let bare = ListedName::without_qualifier(function);
        let reserved = concurrency::reserved(&self.api, bare);
        known.state.reserved_concurrency =
            skipped.ask(concurrency::RESERVED, function, reserved).await.flatten();
        let recursion = recursion::ask(&self.api, bare);
        known.state.recursive_loop =
            skipped.ask(recursion::ACTION, function, recursion).await.flatten();
        if let Some(arn) = known.key_arn {
            // Functions share keys.
            if !keys.contains_key(&arn) {
                let about = format!("{arn} of {function}");
                let key = skipped.ask(key::ACTION, &about, key::ask(&self.api, &arn)).await;
                keys.insert(arn.clone(), key);
            }
            known.state.key = keys.get(&arn).cloned().flatten();
        }
        Some((known.name, known.state))
    }
}
