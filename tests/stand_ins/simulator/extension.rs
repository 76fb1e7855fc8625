//! The extension as a process, with what it writes.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Killed when dropped.
pub(crate) struct Extension {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

impl Extension {
    pub(crate) fn start(binary: &Path, variables: HashMap<String, String>) -> Self {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Captured::new(child.stdout.take().unwrap());
        let stderr = Captured::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < patience, "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// All it wrote, once it has ended.
    pub(crate) fn stdout(&mut self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&mut self) -> String {
        self.stderr.text()
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Captured {
    reader: Option<JoinHandle<String>>,
    text: String,
}

impl Captured {
    fn new(mut from: impl Read + Send + 'static) -> Self {
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self { reader: Some(reader), text: String::new() }
    }

    fn text(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            self.text = reader.join().unwrap();
        }
        self.text.clone()
    }
}
