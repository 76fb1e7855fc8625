//! A /proc of a test's own.

use super::Budget;
use super::files::{Notes, Proc};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Files in a temporary folder, as the kernel would show them.
pub(super) struct Tree {
    folder: TempDir,
    pub(super) budget: Budget,
    pub(super) notes: Notes,
}

/// The extension's own process, and that which started everything.
pub(super) const OWN: u32 = 20;
pub(super) const INIT: u32 = 1;

impl Tree {
    /// With pid 1 and the extension in it.
    pub(super) fn new() -> Self {
        let end = Instant::now() + Duration::from_secs(20);
        let tree = Self {
            folder: TempDir::new().unwrap(),
            budget: Budget::until(end, Arc::default()),
            notes: Notes::default(),
        };
        tree.file("uptime", "345.00 600.00\n");
        tree.process(INIT, 0, "init", 1).process(OWN, INIT, "lambda-triage", 10);
        tree.exe(OWN, "/opt/extensions/lambda-triage");
        tree.link("self", &OWN.to_string());
        tree
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn proc(&self) -> Proc<'_> {
        Proc::at(self.folder.path(), &self.budget, &self.notes)
    }

    pub(super) fn file(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub(super) fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(super) fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.folder.path().join(path)).unwrap();
        self
    }

    pub(super) fn exe(&self, pid: u32, path: &str) -> &Self {
        self.link(&format!("{pid}/exe"), path)
    }

    /// A process of one thread that waits.
    pub(super) fn process(&self, pid: u32, parent: u32, name: &str, started: u64) -> &Self {
        self.file(&format!("{pid}/stat"), stat(pid, name, 'S', parent, 1, started));
        self.thread(pid, pid, name, 'S', 1_000)
    }

    /// A thread; its process must be told of by [`Self::file`] and [`stat`] if it has several.
    pub(super) fn thread(&self, pid: u32, tid: u32, name: &str, state: char, cpu_ns: u64) -> &Self {
        let folder = format!("{pid}/task/{tid}");
        self.file(&format!("{folder}/stat"), stat(tid, name, state, 0, 1, 11));
        self.file(&format!("{folder}/schedstat"), format!("{cpu_ns} 7 1\n"))
    }
}

/// A `stat` file.
pub(super) fn stat(
    id: u32,
    name: &str,
    state: char,
    parent: u32,
    threads: u64,
    started: u64,
) -> String {
    format!(
        "{id} ({name}) {state} {parent} 1 1 0 -1 4194304 98 0 3 0 0 0 0 0 20 0 {threads} 0 {started} 9 25 18\n"
    )
}
