//! Which provocation is played when, with which timeout.

use crate::made::{self, Provocation};
use crate::runtime::Runtime;
use crate::staging::Staging;
use crate::{PLACES, is_all_wanted};
use serde_json::{Value, json};
use std::fmt;

/// So many runs for each cause, where all are wanted.
const RUNS: usize = 24;
/// So many of each with something beside it.
const BESIDE_RUNS: usize = 12;
/// So many of them more that end just in time.
const NEAR_RUNS: usize = 4;
/// The timeouts in seconds that take turns.
const TIMEOUTS_S: [u64; 7] = [1, 3, 1, 1, 3, 1, 10];
/// When the trouble begins, in parts of the timeout: the middle of one may be the end of another.
const BEGINNINGS: [&str; 3] = ["%0", "%30", "%60"];

/// A run: one environment, whose last invocation is judged.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) made: &'static str,
    pub(crate) runtime: Runtime,
    pub(crate) timeout_s: u64,
    pub(crate) events: Vec<Value>,
    pub(crate) ends_in_time: bool,
    pub(crate) init: Option<Value>,
    pub(crate) other_extension: Option<&'static str>,
    pub(crate) has_quota: bool,
    pub(crate) memory_mb: Option<u32>,
    pub(crate) freeze_after_ms: Option<u64>,
    pub(crate) is_adapted: bool,
    pub(crate) is_below_shell: bool,
    pub(crate) is_far: bool,
}

/// What is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Two runs of each cause.
    Few,
    All,
    /// All of one cause.
    One(&'static str),
    /// All that is made with something beside it.
    Beside,
}

impl Asked {
    /// Whether `TRIAGE_CAUSES` asks for it.
    pub(crate) fn is_by_name() -> bool {
        std::env::var_os("TRIAGE_CAUSES").is_some_and(|asked| !asked.is_empty())
    }

    /// What `TRIAGE_CAUSES` asks for.
    pub(crate) fn of_environment() -> Self {
        let asked = std::env::var("TRIAGE_CAUSES").unwrap_or_default();
        match (asked.as_str(), made::all().find(|made| *made == asked)) {
            (_, Some(cause)) => Self::One(cause),
            ("full", _) => Self::All,
            ("beside", _) => Self::Beside,
            ("", _) if is_all_wanted() => Self::All,
            ("" | "quick", _) => Self::Few,
            _ => panic!("TRIAGE_CAUSES={asked} is neither full, quick, beside nor a cause"),
        }
    }
}

impl Plan {
    /// All that `TRIAGE_CAUSES` asks for and that can be made here.
    pub(crate) fn all(staging: &Staging) -> Vec<Self> {
        let asked = Asked::of_environment();
        let mut plans = Vec::new();
        for made in made::all() {
            let is_asked = match asked {
                Asked::One(one) => one == made,
                Asked::Beside => made::is_beside(made),
                Asked::Few | Asked::All => true,
            };
            if !is_asked {
                continue;
            }
            let can_be_made = |provocation: &Provocation| {
                staging.has(provocation.runtime)
                    && (staging.has_cpu_quota || !provocation.has_quota)
                    && (staging.has_memory_limit || provocation.memory_mb.is_none())
                    && (staging.has_disk || provocation.freeze_after_ms.is_none())
                    && (staging.has_far_peer || !provocation.is_far)
            };
            let mut provocations = made::provocations(made);
            provocations.retain(can_be_made);
            let (near, late): (Vec<_>, Vec<_>) =
                provocations.into_iter().partition(|provocation| provocation.ends_in_time);
            let is_beside = made::is_beside(made);
            if asked == Asked::Few {
                let some = late.iter().take(if is_beside { 1 } else { 2 }).chain(near.first());
                plans.extend(some.map(|provocation| provocation.plan(1, "%0")));
            } else {
                plans.extend(rounds(&late, if is_beside { BESIDE_RUNS } else { RUNS }));
                plans.extend(rounds(&near, NEAR_RUNS));
            }
        }
        // In an order of no meaning, so that deadlines do not come all at once, and always the same.
        fastrand::Rng::with_seed(0).shuffle(&mut plans);
        plans
    }

    /// How much of the machine it takes.
    pub(crate) fn places(&self) -> u32 {
        let is_at_work = made::cause_of(self.made) == made::CPU_BOUND
            || self.has_quota
            || self.memory_mb.is_some();
        if is_at_work { PLACES / 2 } else { 1 }
    }
}

/// Each of them in turn, at least so often in all and each at least once.
fn rounds(provocations: &[Provocation], runs: usize) -> Vec<Plan> {
    let Some(count) = provocations.len().checked_sub(1).map(|last| last + 1) else {
        return Vec::new();
    };
    let plan = |run: usize| {
        // Other timeouts in the next round, whatever the number of provocations.
        let turn = run + run / count;
        let beginning = BEGINNINGS[turn % BEGINNINGS.len()];
        provocations[run % count].plan(TIMEOUTS_S[turn % TIMEOUTS_S.len()], beginning)
    };
    (0..runs.max(count)).map(plan).collect()
}

impl Provocation {
    pub(crate) fn plan(&self, timeout_s: u64, beginning: &str) -> Plan {
        let mut events = self.before.clone();
        let mut event = self.event.clone();
        if !self.ends_in_time && event["delay_ms"].is_null() {
            event["delay_ms"] = json!(beginning);
        }
        events.push(event);
        Plan {
            made: self.made,
            runtime: self.runtime,
            timeout_s,
            events,
            ends_in_time: self.ends_in_time,
            init: self.init.clone(),
            other_extension: self.other_extension,
            has_quota: self.has_quota,
            memory_mb: self.memory_mb,
            freeze_after_ms: self.freeze_after_ms,
            is_adapted: self.is_adapted,
            is_below_shell: self.is_below_shell,
            is_far: self.is_far,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} made in {}, {} s", self.made, self.runtime, self.timeout_s)?;
        if self.has_quota {
            f.write_str(", at the quota of 128 MB")?;
        }
        if let Some(init) = &self.init {
            write!(f, ", at init {init}")?;
        }
        if self.is_below_shell {
            f.write_str(", below a shell")?;
        }
        if let Some(does) = self.other_extension {
            write!(f, ", the other extension: {does}")?;
        }
        let last = self.events.last().map(Value::to_string).unwrap_or_default();
        write!(f, ", by {last}")
    }
}
