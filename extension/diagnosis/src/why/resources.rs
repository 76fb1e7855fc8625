//! What the sandbox has run out of, beside what it was waiting for.

use super::{Seen, Why, shown};
use crate::mounts::Mount;
use crate::snapshot::{Resources, Used};

/// From which share of a limit on it is worth a word, in percent.
const NEARLY_ALL_PERCENT: u64 = 95;

fn is_nearly_all(used: u64, limit: u64) -> bool {
    limit > 0 && used.saturating_mul(100) >= limit.saturating_mul(NEARLY_ALL_PERCENT)
}

/// Adds what is exhausted, or gone, to the evidence.
pub(super) fn add_to(mut why: Why, seen: &Seen<'_>) -> Why {
    let descriptors = seen.open().into_iter().flat_map(|open| &open.descriptors);
    let full = |of: &&Used| of.limit.is_some_and(|limit| is_nearly_all(of.used, limit));
    if let Some(Used { used, limit: Some(limit), .. }) =
        descriptors.filter(full).max_by_key(|d| d.used)
    {
        why = why.evidence("descriptors", Some(*used)).evidence("descriptorsLimit", Some(*limit));
    }
    let Some(resources) = &seen.snapshot.resources else { return why };
    if let (Some(threads), Some(limit)) = (resources.threads, resources.threads_limit)
        && is_nearly_all(threads, limit)
    {
        why = why.evidence("threadsInSandbox", Some(threads)).evidence("threadsLimit", Some(limit));
    }
    if let (Some(free), Some(total)) = (resources.tmp_free_bytes, resources.tmp_total_bytes)
        && is_nearly_all(total.saturating_sub(free), total)
    {
        why = why.evidence("tmpFreeBytes", Some(free)).evidence("tmpTotalBytes", Some(total));
    }
    let (gone, read_only) = changed_mounts(seen.running.mounts.unwrap_or_default(), resources);
    why.evidence("goneMounts", gone).evidence("readOnlyMounts", read_only)
}

/// Network mounts that were there when the sandbox began and are not now, and those that cannot be
/// written on any more.
fn changed_mounts(
    before: &[Mount],
    resources: &Resources,
) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let Some(now) = &resources.mounts else { return (None, None) };
    let network = || before.iter().filter(|mount| mount.is_network());
    let find = |mount: &Mount| now.iter().find(|n| n.point == mount.point && n.is_network());
    let named = |mounts: Vec<&Mount>| {
        let names: Vec<_> = mounts.iter().map(|mount| shown(&mount.point)).collect();
        Some(names).filter(|names| !names.is_empty())
    };
    let gone = network().filter(|mount| find(mount).is_none()).collect();
    let is_now_read_only =
        |mount: &&Mount| !mount.is_read_only && find(mount).is_some_and(|now| now.is_read_only);
    (named(gone), named(network().filter(is_now_read_only).collect()))
}
