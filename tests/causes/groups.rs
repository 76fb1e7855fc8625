//! Control groups that bound an environment's CPU time, memory and reading.

use nix::sys::stat::{major, minor};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";

/// Of the names of groups; the process id of the test follows.
const PREFIX: &str = "triage-causes-";

/// The controller's own period, which Lambda's quota has too, as far as is known.
const PERIOD_US: u64 = 20_000;

/// What a function of 128 MB has of one CPU, which 1,769 MB have whole.
const QUOTA_US: u64 = PERIOD_US * 128 / 1769;

/// What is read within a second at most, in operations: the disk of a machine that has not fallen into
/// its own cache.
const READS: u64 = 8000;

/// A control group, for as long as the value lives.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

impl Group {
    /// As much CPU time as a function of 128 MB has.
    pub(crate) fn cpu() -> io::Result<Self> {
        let group = Self::new("cpu")?;
        group.set("cpu.cfs_period_us", PERIOD_US)?;
        group.set("cpu.cfs_quota_us", QUOTA_US)?;
        Ok(group)
    }

    /// So much memory and no more.
    pub(crate) fn memory(memory_mb: u32) -> io::Result<Self> {
        let group = Self::new("memory")?;
        group.set("memory.limit_in_bytes", u64::from(memory_mb) << 20)?;
        Ok(group)
    }

    /// Reading from the disk below `path` no faster than disks read.
    pub(crate) fn reading(path: &Path) -> io::Result<Self> {
        let device = fs::metadata(path)?.dev();
        let (major, minor) = (major(device), minor(device));
        let group = Self::new("blkio")?;
        fs::write(
            group.0.join("blkio.throttle.read_iops_device"),
            format!("{major}:{minor} {READS}"),
        )?;
        Ok(group)
    }

    /// Removes what tests have left that were killed.
    pub(crate) fn sweep() {
        for controller in ["cpu", "memory", "blkio"] {
            let Ok(groups) = fs::read_dir(Path::new(ROOT).join(controller)) else { continue };
            for group in groups.flatten() {
                let name = group.file_name().to_string_lossy().into_owned();
                let of_process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
                let is_left = of_process.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
                if is_left {
                    // Busy, then; there may be a next time.
                    let _ = fs::remove_dir(group.path());
                }
            }
        }
    }

    fn new(controller: &str) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let path = Path::new(ROOT).join(controller).join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        fs::write(self.0.join(file), value.to_string())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Busy until the last process in it is gone, which has been killed.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        crate::tell(&format!("left behind: {}", self.0.display()));
    }
}
