//! What was done, and what came of it, by family of faults.

use crate::plan::{End, Family, Happening, Plan};
use crate::play::Played;
use lambda_sandbox::{LogStream, Status};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<Family, Row>,
    all: Row,
}

#[derive(Clone, Copy, Default)]
struct Row {
    environments: u64,
    invocations: u64,
    faults: u64,
    lines: u64,
    timeouts: u64,
    kills: u64,
    peak_kib: u64,
    post_runtime_ms: f64,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.environments += other.environments;
        self.invocations += other.invocations;
        self.faults += other.faults;
        self.lines += other.lines;
        self.timeouts += other.timeouts;
        self.kills += other.kills;
        self.peak_kib = self.peak_kib.max(other.peak_kib);
        self.post_runtime_ms = self.post_runtime_ms.max(other.post_runtime_ms);
    }
}

impl Table {
    pub(crate) fn add(&mut self, plan: &Plan, played: &Played) {
        let timeouts = played.outcomes.iter().filter(|o| o.status == Status::Timeout);
        let killed = |end| matches!(end, End::Killed(_) | End::Exit | End::Abort);
        let answered = played.outcomes.iter().filter(|o| o.status == Status::Success);
        let row = Row {
            environments: 1,
            invocations: plan.calls.len() as u64,
            faults: 0,
            lines: played.written(LogStream::Stdout).count() as u64,
            timeouts: timeouts.count() as u64,
            kills: plan.calls.iter().filter(|call| killed(call.end)).count() as u64,
            peak_kib: played.peak_kib,
            post_runtime_ms: answered.map(|o| o.post_runtime_ms).fold(0.0, f64::max),
        };
        for &family in &plan.families {
            let faults = plan.faults_of(family);
            self.rows.entry(family).or_default().add(Row { faults, ..row });
        }
        let faults = plan.families.iter().map(|family| plan.faults_of(*family)).sum();
        self.all.add(Row { faults, ..row });
    }

    #[allow(clippy::disallowed_macros, reason = "whoever asks for the table reads it")]
    pub(crate) fn print(&self) {
        println!(
            "{:<16}{:>13}{:>13}{:>8}{:>10}{:>9}{:>7}{:>10}",
            "faults",
            "environments",
            "invocations",
            "faults",
            "timeouts",
            "crashes",
            "lines",
            "peak KiB"
        );
        let rows = self.rows.iter().map(|(family, row)| (format!("{family:?}"), row));
        for (name, row) in rows.chain([("all".to_owned(), &self.all)]) {
            println!(
                "{name:<16}{:>13}{:>13}{:>8}{:>10}{:>9}{:>7}{:>10}",
                row.environments,
                row.invocations,
                row.faults,
                row.timeouts,
                row.kills,
                row.lines,
                row.peak_kib
            );
        }
    }
}

impl Plan {
    /// How many times a fault of this family was made.
    fn faults_of(&self, family: Family) -> u64 {
        let happenings = self.calls.iter().flat_map(|call| &call.faults);
        let of = happenings.filter(|fault| match fault.happening {
            Happening::Api(_) => family == Family::ApiErrors,
            Happening::Gone(_) => family == Family::ApiGone,
            Happening::Delivery(ref fault) => {
                family == if fault.lost { Family::Loss } else { Family::Disorder }
            }
            Happening::Freeze { .. } => family == Family::Freeze,
            Happening::Step { .. } => family == Family::Clock,
            Happening::Read(..) => matches!(family, Family::SlowReader | Family::NoReader),
            Happening::Descriptors { .. } => family == Family::Descriptors,
            Happening::Nonsense(_) => family == Family::Nonsense,
        });
        match family {
            Family::Start => self.at_start.len() as u64,
            // In every environment once.
            Family::ShortShutdown | Family::OtherExtension | Family::Ports => 1,
            _ => of.count() as u64,
        }
    }
}
