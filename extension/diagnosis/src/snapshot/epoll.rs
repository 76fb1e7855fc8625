//! `/proc/PID/fdinfo/N` of epoll descriptors, and what a descriptor's link names.

/// Descriptors of an epoll set that are kept.
const MAX_WATCHED: usize = 4_096;

/// The descriptors that an epoll descriptor watches: those of its lines `tfd: N events: …`.
#[must_use]
pub fn parse_epoll(fdinfo: &str) -> Vec<u32> {
    let watched = |line: &str| {
        let rest = line.strip_prefix("tfd:")?;
        // What follows shows that it is whole.
        let (descriptor, _) = rest.trim_start().split_once(' ')?;
        descriptor.parse().ok()
    };
    fdinfo.lines().filter_map(watched).take(MAX_WATCHED).collect()
}

/// What a descriptor is, by its link in `/proc/PID/fd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor<'a> {
    /// A socket of this inode.
    Socket(u64),
    /// An epoll set.
    Epoll,
    /// A file at this path. Where it was removed, ` (deleted)` follows.
    File(&'a str),
    /// A pipe, a timer and the like.
    Other,
}

impl<'a> Descriptor<'a> {
    /// From the text of the link.
    #[must_use]
    pub fn from_link(link: &'a str) -> Self {
        if link.starts_with('/') {
            return Self::File(link);
        }
        if link == "anon_inode:[eventpoll]" {
            return Self::Epoll;
        }
        let inode = link.strip_prefix("socket:[").and_then(|link| link.strip_suffix(']'));
        inode.and_then(|inode| inode.parse().ok()).map_or(Self::Other, Self::Socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of Linux 6.18.
    const FDINFO: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1038\n\
        tfd:        5 events:       1d data:                5  pos:0 ino:e0f45f sdev:9\n\
        tfd:     1004 events:       19 data:                4  pos:0 ino:e0f45e sdev:9\n";

    #[test]
    fn watched_descriptors_are_read() {
        assert_eq!(parse_epoll(FDINFO), [5, 1004]);
        for none in ["tfd: 5\n", "tfd: x events", "tfd:\n pos:\t0", "tfd: -1 e", "tfd:       10"] {
            assert!(parse_epoll(none).is_empty(), "{none}");
        }
        assert_eq!(parse_epoll(&FDINFO.repeat(4_096)).len(), MAX_WATCHED);
    }

    #[test]
    fn a_link_names_what_is_open() {
        for (link, expected) in [
            ("socket:[14704815]", Descriptor::Socket(14_704_815)),
            ("anon_inode:[eventpoll]", Descriptor::Epoll),
            ("/mnt/efs/a b (deleted)", Descriptor::File("/mnt/efs/a b (deleted)")),
            ("pipe:[14704368]", Descriptor::Other),
            ("anon_inode:[eventfd]", Descriptor::Other),
            ("socket:[", Descriptor::Other),
            ("socket:[x]", Descriptor::Other),
            ("", Descriptor::Other),
        ] {
            assert_eq!(Descriptor::from_link(link), expected, "{link}");
        }
    }
}
