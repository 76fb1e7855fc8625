//! `/proc/self/mountstats`.

use crate::mounts::{MAX_MOUNTS, unescaped};

/// How many requests to the server of each network mount were sent more than once: the mount's point
/// and how many. Empty where there is none, or the kernel does not count.
///
/// For each mount a line `device SOURCE mounted on POINT with fstype TYPE …` and, of an NFS mount,
/// further ones, among them for each operation `NAME: OPERATIONS TRANSMISSIONS TIMEOUTS …` behind
/// `per-op statistics`.
#[must_use]
pub fn parse_mountstats(mountstats: &str) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    let (mut is_network, mut is_counting) = (false, false);
    for line in mountstats.lines() {
        if let Some(device) = line.strip_prefix("device ") {
            is_counting = false;
            let point = network_point(device).filter(|_| counts.len() < MAX_MOUNTS);
            is_network = point.is_some();
            counts.extend(point.map(|point| (point, 0)));
        } else if line.trim() == "per-op statistics" {
            is_counting = is_network;
        } else if is_counting && let Some((_, sent_again)) = counts.last_mut() {
            *sent_again = sent_again.saturating_add(retransmissions(line).unwrap_or_default());
        }
    }
    counts
}

fn network_point(device: &str) -> Option<String> {
    let (_, mounted) = device.split_once(" mounted on ")?;
    let (point, kind) = mounted.split_once(" with fstype ")?;
    let kind = kind.split_ascii_whitespace().next()?;
    matches!(kind, "nfs" | "nfs4").then(|| unescaped(point))
}

fn retransmissions(line: &str) -> Option<u64> {
    let (_, numbers) = line.split_once(": ")?;
    let mut numbers = numbers.split_ascii_whitespace();
    let mut number = || numbers.next()?.parse::<u64>().ok();
    let (operations, transmissions) = (number()?, number()?);
    Some(transmissions.saturating_sub(operations))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTSTATS: &str = "\
device proc mounted on /proc with fstype proc
device 127.0.0.1:/ mounted on /mnt/my\\040files with fstype nfs4 statvers=1.1
\topts:\trw,vers=4.1,rsize=1048576,hard,proto=tcp,timeo=600,retrans=2
\tage:\t120
\tevents:\t1 2 3 4 5 6
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
\txprt:\ttcp 0 0 1 0 11 9 2 0 9 0 2 0 1
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t        READ: 2 5 1 420 340 0 1 1 0
\t     GETATTR: 7 9 0 1 1 0 0 0 0

device 127.0.0.1:/b mounted on /mnt/b with fstype nfs statvers=1.1
\tper-op statistics
\t        READ: 2 2 0 420 340 0 1 1 0
device tmpfs mounted on /tmp with fstype tmpfs
\t        READ: 2 9 0 420 340 0 1 1 0
";

    #[test]
    fn what_was_sent_again_is_counted_for_each_network_mount() {
        let expected = [("/mnt/my files".to_owned(), 5), ("/mnt/b".to_owned(), 0)];
        assert_eq!(parse_mountstats(MOUNTSTATS), expected);
        assert_eq!(parse_mountstats(&MOUNTSTATS.repeat(300)).len(), MAX_MOUNTS);
        for end in 0..MOUNTSTATS.len() {
            let cut = parse_mountstats(&MOUNTSTATS[..end]);
            assert!(cut.iter().all(|(_, count)| *count <= 5), "{end}");
        }
    }
}
