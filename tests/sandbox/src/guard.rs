//! Kills what is left when the sandbox's own process ends without cleaning up, as by SIGKILL or
//! Ctrl-C: a shell in a process group of its own that notices the end of its standard input.
//!
//! It is no child of the sandbox's process: on Lambda there is nothing beside the runtime and the
//! extensions, which look at who their siblings are.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

/// Reads `+ GROUP` and `- GROUP`; at the end kills the groups that were not taken back.
const SCRIPT: &str = r#"
exec 3<&0
(
while read -r change group; do
    if [ "$change" = + ]; then
        groups="$groups $group"
    else
        left=
        for known in $groups; do [ "$known" = "$group" ] || left="$left $known"; done
        groups=$left
    fi
done
for group in $groups; do kill -s KILL -- "-$group"; done
) <&3 3<&- &
"#;

/// None where it is not needed: all processes of a PID namespace end with its first.
#[derive(Debug)]
pub(crate) struct Guard(Option<ChildStdin>);

impl Guard {
    pub(crate) fn start() -> std::io::Result<Self> {
        if std::process::id() == 1 {
            return Ok(Self(None));
        }
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        // It has begun another and ends.
        child.wait()?;
        Ok(Self(stdin))
    }

    pub(crate) fn add(&mut self, group: i32) {
        self.tell('+', group);
    }

    pub(crate) fn remove(&mut self, group: i32) {
        self.tell('-', group);
    }

    fn tell(&mut self, change: char, group: i32) {
        if let Some(stdin) = &mut self.0 {
            // A guard that was killed guards no more; the sandbox itself still cleans up.
            let _ = writeln!(stdin, "{change} {group}");
        }
    }
}
