//! Kills what is left when the sandbox's own process ends without cleaning up, as by SIGKILL or
//! Ctrl-C: a shell in a process group of its own that notices the end of its standard input.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Reads `+ GROUP` and `- GROUP`; at the end kills the groups that were not taken back.
const SCRIPT: &str = r#"
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
"#;

#[derive(Debug)]
pub(crate) struct Guard(Option<Child>);

impl Guard {
    pub(crate) fn start() -> std::io::Result<Self> {
        // With the first process of a PID namespace everything in it ends.
        if std::process::id() == 1 {
            return Ok(Self(None));
        }
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self(Some(child)))
    }

    pub(crate) fn add(&mut self, group: i32) {
        self.tell('+', group);
    }

    pub(crate) fn remove(&mut self, group: i32) {
        self.tell('-', group);
    }

    fn tell(&mut self, change: char, group: i32) {
        if let Some(stdin) = self.0.as_mut().and_then(|child| child.stdin.as_mut()) {
            // A guard that was killed guards no more; the sandbox itself still cleans up.
            let _ = writeln!(stdin, "{change} {group}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        drop(child.stdin.take());
        // Ends at once: all it still does is kill.
        let _ = child.wait();
    }
}
