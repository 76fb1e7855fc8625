//! What is mounted in the sandbox, read once.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use triage_diagnosis::{Mount, fault_point, parse_mountinfo};

/// More of it is not read.
const MAX_BYTES: u64 = 256 * 1024;

/// The mounts that `/proc/self/mountinfo` lists. No mount is touched for it.
///
/// # Errors
/// If it cannot be read.
fn mounts() -> io::Result<Vec<Mount>> {
    fault_point!("read mounts");
    mounts_at(Path::new("/proc"))
}

fn mounts_at(proc: &Path) -> io::Result<Vec<Mount>> {
    let mut bytes = Vec::new();
    File::open(proc.join("self/mountinfo"))?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(parse_mountinfo(&String::from_utf8_lossy(&bytes)))
}

/// Reads the mounts once, on a thread of its own: what blocks there holds up nothing.
#[derive(Debug)]
pub(crate) enum MountProbe {
    /// Not asked to yet.
    Waiting,
    /// The thread is at it.
    UnderWay(Receiver<Vec<Mount>>),
    /// They were read or cannot be, or are not wanted.
    Over,
}

impl MountProbe {
    /// One that is still to begin or, if nothing may be probed, none.
    pub(crate) fn new(is_wanted: bool) -> Self {
        if is_wanted { Self::Waiting } else { Self::Over }
    }

    /// Begins, at the first call; gives the mounts, at the first call after they were read.
    pub(crate) fn poll(&mut self) -> Option<Vec<Mount>> {
        fault_point!("mounts");
        match self {
            Self::Over => None,
            Self::Waiting => {
                *self = Self::begun();
                None
            }
            Self::UnderWay(read) => {
                let read = read.try_recv();
                if read != Err(TryRecvError::Empty) {
                    *self = Self::Over;
                }
                read.ok()
            }
        }
    }

    fn begun() -> Self {
        let (sender, receiver) = sync_channel(1);
        let thread = std::thread::Builder::new().name("mounts".to_owned()).stack_size(64 * 1024);
        let started = thread.spawn(move || match mounts() {
            // Nobody waits for it at the end of the sandbox.
            Ok(mounts) => drop(sender.send(mounts)),
            Err(e) => tracing::debug!("what is mounted cannot be read: {e}"),
        });
        match started {
            Ok(_) => Self::UnderWay(receiver),
            Err(e) => {
                tracing::debug!("what is mounted is not read, as no thread is left: {e}");
                Self::Over
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_from_proc() {
        let root = std::env::temp_dir().join(format!("triage-mounts-{}", std::process::id()));
        std::fs::create_dir_all(root.join("self")).unwrap();
        let text = "36 22 0:33 / /mnt/efs rw - nfs4 127.0.0.1:/ rw\n";
        std::fs::write(root.join("self/mountinfo"), text).unwrap();
        let read = mounts_at(&root);
        std::fs::remove_dir_all(&root).unwrap();
        let mount = Mount { point: "/mnt/efs".into(), fs_type: "nfs4".into(), is_read_only: false };
        assert_eq!(read.unwrap(), [mount]);
        assert!(mounts_at(&root).is_err());
    }

    #[test]
    fn they_are_given_once_and_not_at_all_if_not_wanted() {
        let mut probe = MountProbe::new(true);
        assert_eq!(probe.poll(), None);
        let mut given = Vec::new();
        while matches!(probe, MountProbe::UnderWay(_)) {
            given.extend(probe.poll());
        }
        let [mounts] = &given[..] else { panic!("{given:?}") };
        assert!(mounts.iter().any(|mount| mount.point == "/"), "{mounts:?}");
        assert!(matches!(probe, MountProbe::Over));
        assert!(matches!(MountProbe::new(false), MountProbe::Over));
    }
}
