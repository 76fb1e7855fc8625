//! What is mounted in the sandbox, and whether a path lies on a network file system.

use serde::Deserialize;

/// Mounts that are kept; a sandbox has some tens.
pub(crate) const MAX_MOUNTS: usize = 256;

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where it is mounted, an absolute path.
    pub point: String,
    /// Its type, as the kernel names it: `ext4`, `nfs4`.
    pub fs_type: String,
    /// Whether nothing can be written on it.
    #[serde(default)]
    pub is_read_only: bool,
}

impl Mount {
    /// Whether files on it are a server's: EFS, and S3 Files, are mounted by NFS.
    pub(crate) fn is_network(&self) -> bool {
        matches!(self.fs_type.as_str(), "nfs" | "nfs4")
    }

    fn holds(&self, path: &str) -> bool {
        let point = self.point.trim_end_matches('/');
        path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The network mount that a path lies on. Of several mounts above it, the deepest counts and, of
/// those at one point, the last, which hides the others.
#[must_use]
pub fn network_mount<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let above = mounts.iter().filter(|mount| mount.holds(path));
    above.max_by_key(|mount| mount.point.len()).filter(|mount| mount.is_network())
}

/// The mounts that the text of `/proc/self/mountinfo` lists; a line that cannot be read is left
/// out.
///
/// A line is `id parent major:minor root POINT options optional… - TYPE source options`; blanks
/// and backslashes in a name are octal, `\040`.
#[must_use]
pub fn parse_mountinfo(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = unescaped(before.split(' ').nth(4)?);
        let fs_type = after.split(' ').next().filter(|fs_type| !fs_type.is_empty())?;
        // Of this mount, or of the file system wherever it is mounted.
        let options = [before.split(' ').nth(5), after.split(' ').nth(2)];
        let is_read_only = options.iter().flatten().any(|o| o.split(',').next() == Some("ro"));
        let fs_type = fs_type.to_owned();
        point.starts_with('/').then_some(Mount { point, fs_type, is_read_only })
    };
    text.lines().filter_map(mount).take(MAX_MOUNTS).collect()
}

pub(crate) fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok());
        bytes.push(code.unwrap_or(b'\\'));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(point: &str, fs_type: &str) -> Mount {
        Mount { point: point.into(), fs_type: fs_type.into(), is_read_only: false }
    }

    #[test]
    fn mountinfo_is_read_line_by_line() {
        let text = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
                    36 22 0:33 / /mnt/efs rw,relatime - nfs4 127.0.0.1:/ rw,vers=4.1,addr=127.0.0.1\n\
                    37 22 0:34 / /mnt/my\\040files\\134x rw shared:2 master:1 - nfs4 127.0.0.1:/ rw\n\
                    junk\n38 22 0:35 / relative rw - tmpfs x rw\n39 22 0:35 / /a\\9 rw -  x\n";
        assert_eq!(
            parse_mountinfo(text),
            [mount("/", "ext4"), mount("/mnt/efs", "nfs4"), mount("/mnt/my files\\x", "nfs4")]
        );
        assert_eq!(unescaped("a\\9\\04\\ä\\377"), "a\\9\\04\\ä\u{fffd}");
        assert_eq!(parse_mountinfo(&text.repeat(200)).len(), MAX_MOUNTS);
    }

    #[test]
    fn the_deepest_and_last_mount_above_a_path_counts() {
        let mounts = [
            mount("/", "ext4"),
            mount("/mnt/efs", "nfs4"),
            mount("/mnt/efs/cache", "tmpfs"),
            mount("/mnt/hidden", "nfs4"),
            mount("/mnt/hidden", "ext4"),
        ];
        let point = |path| network_mount(&mounts, path).map(|mount| mount.point.as_str());
        assert_eq!(point("/mnt/efs"), Some("/mnt/efs"));
        assert_eq!(point("/mnt/efs/a/b"), Some("/mnt/efs"));
        for path in ["/mnt/efs2/a", "/mnt/efs/cache/a", "/mnt/hidden/a", "/tmp/a", "/mnt"] {
            assert_eq!(point(path), None, "{path}");
        }
    }
}
