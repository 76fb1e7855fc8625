//! Leaving in time, whatever is stuck.

use std::time::Duration;
use triage_diagnosis::Timestamp;

/// What asked for the end, and so how much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SHUTDOWN: Lambda gives extensions 2,000 ms in all before SIGKILL.
    Shutdown {
        /// `deadlineMs` of the event.
        deadline: Option<Timestamp>,
    },
    /// SIGTERM: SIGKILL follows some hundred ms later.
    Sigterm,
}

/// What is left of the time before the deadline: for the exit itself.
const MARGIN_MS: u64 = 200;

/// How the last moments are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Late telemetry is taken until then at the longest.
    pub(crate) telemetry_until: Timestamp,
    /// What has been taken is worked through until then at the longest.
    pub(crate) work_until: Timestamp,
    /// The process is gone by then.
    pub(crate) exit_by: Timestamp,
}

impl Budget {
    /// After this long without telemetry, none is expected any more.
    pub(crate) const QUIET_MS: u64 = 40;

    /// The budget from now on.
    #[must_use]
    pub(crate) fn new(ending: Ending, now: Timestamp) -> Self {
        triage_diagnosis::fault_point!("budget");
        let (named_ms, telemetry_ms, deadline) = match ending {
            Ending::Shutdown { deadline } => (1_500, 300, deadline),
            Ending::Sigterm => (250, 100, None),
        };
        // After a deadline that has passed this process would not run: such a one says nothing.
        let left_ms = deadline.map(|deadline| deadline.ms_since(now)).filter(|left| *left > 0);
        // Of little time half is for the lines, and half of that for late telemetry.
        let budget_ms = left_ms
            .map_or(named_ms, |left| named_ms.min(left.saturating_sub(MARGIN_MS).max(left / 2)));
        let telemetry_ms = telemetry_ms.min(budget_ms / 2);
        Self {
            telemetry_until: now.plus_ms(telemetry_ms),
            work_until: now.plus_ms(budget_ms / 3 * 2),
            exit_by: now.plus_ms(budget_ms),
        }
    }

    /// What is taken where there is a bug in working it out.
    #[must_use]
    pub(crate) fn short(now: Timestamp) -> Self {
        Self {
            telemetry_until: now.plus_ms(100),
            work_until: now.plus_ms(150),
            exit_by: now.plus_ms(250),
        }
    }
}

/// Ends the process with code 0 after this time, from a plain thread: the loop itself may be what
/// is stuck.
pub(crate) fn exit_after(time: Duration) {
    triage_diagnosis::fault_point!("exit");
    // Without a thread left to start, the loop's own way out remains.
    let _ = std::thread::Builder::new().name("exit".to_owned()).stack_size(64 * 1024).spawn(
        move || {
            std::thread::sleep(time);
            std::process::exit(0);
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// In a process of its own, which has nothing else to end it for a long time.
    #[test]
    fn the_process_is_ended_whatever_else_it_is_at() {
        const ROLE: &str = "TRIAGE_TEST_EXIT_AFTER";
        if std::env::var_os(ROLE).is_some() {
            exit_after(Duration::from_millis(50));
            std::thread::sleep(Duration::from_secs(20));
            std::process::exit(3);
        }
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shutdown::tests::the_process_is_ended_whatever_else_it_is_at"])
            .env(ROLE, "1")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0));
    }

    #[test]
    fn the_budget_is_the_least_of_the_named_time_and_what_the_deadline_leaves() {
        let now = Timestamp::from_ms(1_000_000);
        let budget = |in_ms: Option<u64>| {
            let deadline = in_ms.map(|ms| Timestamp::from_ms(998_000 + ms));
            let budget = Budget::new(Ending::Shutdown { deadline }, now);
            let until = [budget.telemetry_until, budget.work_until, budget.exit_by];
            let [telemetry, work, exit] = until.map(|until| until.ms_since(now));
            (telemetry, work, exit)
        };
        assert_eq!(budget(None), (300, 1_000, 1_500));
        assert_eq!(budget(Some(4_000)), (300, 1_000, 1_500));
        assert_eq!(budget(Some(3_000)), (300, 532, 800));
        assert_eq!(budget(Some(2_300)), (75, 100, 150));
        assert_eq!(budget(Some(2_100)), (25, 32, 50));
        assert_eq!(budget(Some(0)), (300, 1_000, 1_500), "a deadline in the past");
        let sigterm = Budget::new(Ending::Sigterm, now);
        assert_eq!(sigterm.exit_by.ms_since(now), 250);
    }
}
