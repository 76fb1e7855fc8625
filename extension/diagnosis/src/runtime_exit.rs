//! How a runtime ended, as the platform's own line in the function's log tells it.

/// How a runtime ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeExit {
    /// It left by itself with this exit status.
    Status(i32),
    /// A signal ended it: its name in Go's words, such as `killed` or `segmentation fault`.
    Signal(String),
    /// It left with status 0, before it had answered.
    NoReason,
}

/// What stands in each line that tells of one.
pub(crate) const SIGN: &str = " Error: Runtime exited with";

impl RuntimeExit {
    /// The request id and the end in `RequestId: ID Error: Runtime exited with error: exit status 1`,
    /// which may go on with the error type in a line of its own. None for any other text.
    pub(crate) fn parse(text: &str) -> Option<(&str, Self)> {
        const MAX_SIGNAL_BYTES: usize = 40;
        let (id, said) = text.strip_prefix("RequestId: ")?.split_once(SIGN)?;
        if id.is_empty() || id.contains(char::is_whitespace) {
            return None;
        }
        let said = said.lines().next()?.trim_end();
        if said == "out providing a reason" {
            return Some((id, Self::NoReason));
        }
        let said = said.strip_prefix(" error: ")?;
        if let Some(status) = said.strip_prefix("exit status ") {
            return Some((id, Self::Status(status.parse().ok()?)));
        }
        let signal = said.strip_prefix("signal: ")?;
        let signal = signal.strip_suffix(" (core dumped)").unwrap_or(signal);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '/';
        (signal.len() <= MAX_SIGNAL_BYTES && !signal.is_empty() && signal.chars().all(is_name))
            .then(|| (id, Self::Signal(signal.to_owned())))
    }

    /// Whether a signal ended it, and not the process itself.
    pub(crate) fn is_by_force(&self) -> bool {
        matches!(self, Self::Signal(_))
    }

    /// Whether SIGKILL ended it, as the system does when memory runs out.
    pub(crate) fn is_killed(&self) -> bool {
        matches!(self, Self::Signal(name) if name == "killed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_platforms_line_and_no_other() {
        for (text, exit) in [
            ("exit status 137\nRuntime.ExitError", RuntimeExit::Status(137)),
            ("exit status 1", RuntimeExit::Status(1)),
            ("signal: killed", RuntimeExit::Signal("killed".into())),
            (
                "signal: segmentation fault (core dumped)\nRuntime.ExitError",
                RuntimeExit::Signal("segmentation fault".into()),
            ),
        ] {
            let line = format!("RequestId: a-1 Error: Runtime exited with error: {text}");
            assert_eq!(RuntimeExit::parse(&line), Some(("a-1", exit)), "{line}");
            assert_eq!(RuntimeExit::parse(&format!("callee said {line}")), None);
        }
        let line =
            "RequestId: a Error: Runtime exited without providing a reason\nRuntime.ExitError";
        assert_eq!(RuntimeExit::parse(line), Some(("a", RuntimeExit::NoReason)));
        for text in [
            "RequestId: a b Error: Runtime exited with error: exit status 1",
            "RequestId:  Error: Runtime exited with error: exit status 1",
            "RequestId: a Error: Runtime exited with error: exit status one",
            "RequestId: a Error: Runtime exited with error: signal: <b>",
            "RequestId: a Error: Runtime exited with style",
            "RequestId: ",
        ] {
            assert_eq!(RuntimeExit::parse(text), None, "{text}");
        }
    }
}
