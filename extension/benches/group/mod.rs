//! A control group with the share of a CPU that a function of 128 MB has.

#![allow(unreachable_pub, reason = "each bench uses its part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The share of a CPU at 128 MB: memory over 1,769 MB.
const SHARE: f64 = 128.0 / 1769.0;

/// A control group, removed when dropped.
pub struct Group(PathBuf);

impl Group {
    /// Its processes have their share of a CPU in each period.
    ///
    /// # Errors
    /// Without root, or without a `cpu` controller.
    pub fn limited(period_ms: u32) -> std::io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lambda-triage-bench-{}-{number}", std::process::id());
        let period_us = period_ms * 1_000;
        let quota_us = (f64::from(period_us) * SHARE).max(1_000.0) as u32;
        let first = Path::new("/sys/fs/cgroup/cpu");
        if first.join("cpu.cfs_quota_us").exists() {
            let group = Self(first.join(name));
            std::fs::create_dir(&group.0)?;
            std::fs::write(group.0.join("cpu.cfs_period_us"), period_us.to_string())?;
            std::fs::write(group.0.join("cpu.cfs_quota_us"), quota_us.to_string())?;
            return Ok(group);
        }
        let group = Self(Path::new("/sys/fs/cgroup").join(name));
        std::fs::create_dir(&group.0)?;
        std::fs::write(group.0.join("cpu.max"), format!("{quota_us} {period_us}"))?;
        Ok(group)
    }

    /// Takes a process in, with all its threads.
    ///
    /// # Errors
    /// If it has ended.
    pub fn take_in(&self, pid: u32) -> std::io::Result<()> {
        std::fs::write(self.0.join("cgroup.procs"), pid.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..200 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
