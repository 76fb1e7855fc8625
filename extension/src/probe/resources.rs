//! What the sandbox has left.

use super::files::Proc;
use triage_diagnosis::snapshot::{Resources, parse_limit, parse_meminfo, parse_mountstats};
use triage_diagnosis::{Mount, network_mount, parse_mountinfo};

/// `/proc/meminfo` has some 60 lines.
const MEMINFO_BYTES: usize = 16 * 1024;
const LIMITS_BYTES: usize = 8 * 1024;
const MOUNTINFO_BYTES: usize = 256 * 1024;
/// A network mount has some 8 KiB.
const MOUNTSTATS_BYTES: usize = 256 * 1024;
/// Where a function may write.
const TMP: &str = "/tmp";

/// The mounts, as they are now: all of them, or None, as one that was not read is not gone.
pub(super) fn mounts(proc: &mut Proc<'_>) -> Option<Vec<Mount>> {
    let mountinfo = proc.text(format_args!("self/mountinfo"), MOUNTINFO_BYTES);
    let (mountinfo, is_whole) =
        mountinfo.inspect_err(|e| proc.notes.note_absent("mountinfo", e)).ok()?;
    is_whole.then(|| parse_mountinfo(&mountinfo))
}

/// What is left of everything, as the runtime's limits have it. Of `tmp` the size is asked for, unless
/// it is on a network mount.
pub(super) fn resources(
    proc: &mut Proc<'_>,
    runtime: u32,
    threads: u64,
    mounts: Option<Vec<Mount>>,
) -> Resources {
    let notes = proc.notes;
    let meminfo = proc.text(format_args!("meminfo"), MEMINFO_BYTES);
    let (meminfo, _) = meminfo.inspect_err(|e| notes.note_absent("meminfo", e)).unwrap_or_default();
    let threads_limit = limit(proc, runtime, "Max processes");
    let is_local = mounts.as_ref().is_some_and(|mounts| network_mount(mounts, TMP).is_none());
    let tmp = is_local.then(|| rustix::fs::statvfs(TMP).ok()).flatten();
    let mountstats = proc.text(format_args!("self/mountstats"), MOUNTSTATS_BYTES);
    let mountstats = mountstats.inspect_err(|e| notes.note_absent("mountstats", e));
    let (mountstats, _) = mountstats.unwrap_or_default();
    Resources {
        memory_available_kib: parse_meminfo(&meminfo, "MemAvailable"),
        memory_total_kib: parse_meminfo(&meminfo, "MemTotal"),
        tmp_free_bytes: tmp.as_ref().map(|tmp| tmp.f_bavail.saturating_mul(tmp.f_frsize)),
        tmp_total_bytes: tmp.map(|tmp| tmp.f_blocks.saturating_mul(tmp.f_frsize)),
        threads: Some(threads),
        threads_limit,
        mounts,
        nfs_retransmissions: parse_mountstats(&mountstats),
    }
}

/// A limit of a process by its name.
pub(super) fn limit(proc: &mut Proc<'_>, pid: u32, name: &str) -> Option<u64> {
    let notes = proc.notes;
    let limits = proc.text(format_args!("{pid}/limits"), LIMITS_BYTES);
    let (limits, _) = limits.inspect_err(|e| notes.note("limits", e)).ok()?;
    parse_limit(&limits, name)
}
