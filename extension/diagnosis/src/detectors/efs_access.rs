//! A file on the function's EFS or S3 Files file system could not be used.
//!
//! ## Causes
//! By the error that the system call gave:
//! - `permission-denied` (EACCES, EPERM): the access point's user may not.
//! - `stale-file-handle` (ESTALE): the file was replaced or deleted while it was open.
//! - `input-output-error` (EIO), `timed-out` (ETIMEDOUT), `not-connected` (ENOTCONN): the file system does
//!   not answer, or no longer.
//! - `quota-exceeded` (EDQUOT): a quota of EFS.
//! - `missing-path` (ENOENT): there is no such file.
//! - `read-only` (EROFS).
//!
//! ## Evidence
//! The error's text with a path, in the words of the function's language, in one line of its log (for
//! Rust, whose errors do not name the path, in one record). What is mounted is read once from
//! /proc/self/mountinfo (`TRIAGE_PROBE=off` leaves that out):
//! - confirmed where the path lies below a network mount (nfs, nfs4) and the error is about that path;
//! - suspected where they merely stand in one line, where the mounts are not known and the path is below
//!   /mnt, and always for a missing path, which programs also ask for to see whether it is there;
//! - nothing where the mounts are known and the path is below none.
//!
//! `path` is the mount point and those names below it that are of letters, digits and few signs; the rest
//! is `***`. Where no mount is known, only its first two names are shown.
//!
//! ## What to do
//! What the cause says; for all of them, check the access point and the network of the mount target.

use crate::aws_name::is_plain_name;
use crate::detector::{Case, Cause, Detector, Sign};
use crate::errno;
use crate::finding::{Finding, Stage, View};
use crate::from_log;
use crate::level::Level;
use crate::log::Log;
use crate::mask::MASK;
use crate::matching::Hit;
use crate::mounts::{Mount, network_mount};
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "efs-access",
    title: "a file on the EFS or S3 Files file system could not be used",
    level: Level::Error,
    metric: "EfsFailures",
    advice: "Check the path, its owner and mode against the access point's POSIX user, the role's elasticfilesystem:ClientWrite, and that the mount target is reachable on TCP 2049.",
    causes: &[
        Cause {
            name: "permission-denied",
            advice: "The access point's POSIX user may not do this: check the owner and mode of the path and its folders, the access point's user and creation info, and elasticfilesystem:ClientWrite for writing.",
        },
        Cause {
            name: "stale-file-handle",
            advice: "The file was deleted or replaced, by another client, while it was open here: open it again and retry; do not share files that are replaced while in use.",
        },
        Cause {
            name: "input-output-error",
            advice: "The file system failed to read or write: retry, look at its metrics and at the AWS Health Dashboard, and check that its mount target is still there.",
        },
        Cause {
            name: "timed-out",
            advice: "The file system did not answer: check that TCP 2049 is open between the security groups, that the mount target exists, and BurstCreditBalance and PercentIOLimit.",
        },
        Cause {
            name: "not-connected",
            advice: "The mount has lost its connection: check the mount target and security groups; environments that start anew mount it again.",
        },
        Cause {
            name: "quota-exceeded",
            advice: "A quota of the file system or of its user is used up: delete files, or ask for a higher quota; EFS limits open files, locks and the size of a file.",
        },
        Cause {
            name: "missing-path",
            advice: "The path does not exist on the file system: check it, the access point's root directory, and whether another client deletes it; create the folder first.",
        },
        Cause {
            name: "read-only",
            advice: "The file system or access point is read-only here: allow elasticfilesystem:ClientWrite in the role and the file system's policy, and check that it is no replica.",
        },
    ],
    reference: "https://docs.aws.amazon.com/efs/latest/ug/troubleshooting-efs-fileop-errors.html",
    outranks: &[],
    views: &[View::Function, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest],
    knobs: &[],
    texts: &[
        Text::errno("Permission denied").names("permission-denied"),
        Text::errno("permission denied").names("permission-denied"),
        Text::errno("Operation not permitted").names("permission-denied"),
        Text::errno("operation not permitted").names("permission-denied"),
        Text::errno("Stale file handle").names("stale-file-handle"),
        Text::errno("stale file handle").names("stale-file-handle"),
        Text::errno("Stale NFS file handle").names("stale-file-handle"),
        Text::errno("stale NFS file handle").names("stale-file-handle"),
        Text::errno("Input/output error").names("input-output-error"),
        Text::errno("input/output error").names("input-output-error"),
        Text::errno("Connection timed out").names("timed-out"),
        Text::errno("connection timed out").names("timed-out"),
        Text::errno("Transport endpoint is not connected").names("not-connected"),
        Text::errno("transport endpoint is not connected").names("not-connected"),
        Text::errno("Disk quota exceeded").names("quota-exceeded"),
        Text::errno("disk quota exceeded").names("quota-exceeded"),
        Text::errno("No such file or directory").names("missing-path"),
        Text::errno("no such file or directory").names("missing-path"),
        Text::errno("Read-only file system").names("read-only"),
        Text::errno("read-only file system").names("read-only"),
        // libuv's words.
        Text::errno("i/o error").names("input-output-error"),
        Text::errno("socket is not connected").names("not-connected"),
        // Java's and .NET's.
        Text::message("java.nio.file.AccessDeniedException", View::Function)
            .names("permission-denied"),
        Text::message("java.nio.file.NoSuchFileException", View::Function).names("missing-path"),
        Text::message("Access to the path ", View::Function).names("permission-denied"),
        Text::message("Could not find a part of the path ", View::Function).names("missing-path"),
        Text::message("Could not find file ", View::Function).names("missing-path"),
    ],
    examine,
};

fn examine(case: &Case<'_>) -> Option<Finding> {
    let told = from_log::finding_among(
        case,
        |log, hit| Some(touched(case.mounts, log, hit)?.at_most),
        |_| "a file on its network file system could not be used",
    )?;
    let path = shown(case.mounts, touched(case.mounts, told.log, told.hit)?.path);
    let message = format!("{}: {path}", told.finding.message);
    Some(Finding { message, ..told.finding }.evidence("path", Some(path)))
}

/// The path that an error is about, and how sure that and its file system are.
struct Touched<'a> {
    path: &'a str,
    at_most: Stage,
}

fn touched<'a>(mounts: Option<&[Mount]>, log: &'a Log<'_>, hit: &Hit) -> Option<Touched<'a>> {
    let text = log.text.as_ref();
    let is_below = |path: &str| match mounts {
        Some(mounts) => network_mount(mounts, path).is_some(),
        // Where Lambda mounts them.
        None => path.strip_prefix("/mnt/").is_some_and(|rest| !rest.is_empty()),
    };
    let suspected = |path| Touched { path, at_most: Stage::Suspected };
    let named = errno::paths(text, hit.start, hit.end);
    let below = |named: &&errno::Named<'_>| is_below(named.path);
    let own = named.iter().find(|named| named.is_its_own);
    if let Some(own) = named.iter().filter(|named| named.is_its_own).find(below) {
        let is_sure = mounts.is_some() && hit.text.cause != Some("missing-path");
        let at_most = if is_sure { Stage::Confirmed } else { Stage::Suspected };
        return Some(Touched { path: own.path, at_most });
    }
    if own.is_some() {
        return None;
    }
    if let Some(beside) = named.iter().find(below).filter(|_| mounts.is_some()) {
        return Some(suspected(beside.path));
    }
    // Rust's errors, and the two fields of a record.
    let is_rust = text[hit.end..].starts_with(" (os error ");
    let apart = is_rust.then(|| errno::any_path(text, hit.start, is_below)).flatten();
    apart.map(suspected)
}

/// As much of a path as may be shown.
fn shown(mounts: Option<&[Mount]>, path: &str) -> String {
    let mount = mounts.and_then(|mounts| network_mount(mounts, path));
    let point = mount.map_or(0, |mount| mount.point.trim_end_matches('/').len());
    let (point, rest) = path.split_at_checked(point).unwrap_or(("", path));
    let mut shown = point.to_owned();
    for (depth, name) in rest.split('/').filter(|name| !name.is_empty()).enumerate() {
        let is_known = mount.is_some() || depth < 2;
        if !(is_known && is_plain_name(name) && shown.len() + name.len() < MAX_PATH_BYTES) {
            return shown + "/" + MASK;
        }
        shown = shown + "/" + name;
    }
    shown
}

/// A longer path is cut at a name.
const MAX_PATH_BYTES: usize = 200;
