//! The X-Amzn-Trace-Id header: which chain an invocation belongs to, and how deep in it.

/// `Root=1-…;Parent=…;Sampled=1;Lineage=…`, as the INVOKE event and platform.start carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeader {
    /// The trace id, `1-<8 hex>-<24 hex>`.
    pub root: Option<String>,
    /// The span of the caller.
    pub parent: Option<String>,
    /// How often the chain has passed, from Lineage; None if there was none that can be read.
    pub depth: Option<u32>,
}

impl TraceHeader {
    /// Reads what is there; anything else is as good as absent.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        crate::fault_point!("trace header");
        let mut parsed = Self::default();
        for part in header.split(';') {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match name.trim() {
                "Root" => parsed.root = Some(value.to_owned()),
                "Parent" => parsed.parent = Some(value.to_owned()),
                "Lineage" => parsed.depth = lineage_depth(value),
                _ => {}
            }
        }
        parsed
    }
}

/// A root as it may be shown: `1-` and hexadecimal digits and dashes, no more than a trace id has. A
/// caller may put anything in its place.
#[must_use]
pub(crate) fn shown(root: &str) -> Option<&str> {
    const MAX_BYTES: usize = "1-5759e988-bd862e3f-e1be46a9-94272793".len();
    let is_id = |id: &str| id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let is_shown = root.len() <= MAX_BYTES && root.strip_prefix("1-").is_some_and(is_id);
    is_shown.then_some(root)
}

/// Version 1, `<8 hex>:<count>` joined by `|`, counts the passes through each function: the depth is
/// the largest. Version 2, `<count>:<8 hex>:<request counter>`, holds one count. That the counts
/// grow with each pass is inferred from what was seen, not documented.
fn lineage_depth(lineage: &str) -> Option<u32> {
    let is_hash = |hash: &str| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let mut deepest = None;
    for entry in lineage.split('|') {
        let fields: Vec<&str> = entry.splitn(4, ':').collect();
        let count = match fields[..] {
            [hash, count] if is_hash(hash) => count,
            [count, hash, _] if is_hash(hash) => count,
            _ => return None,
        };
        deepest = deepest.max(Some(count.parse().ok()?));
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(lineage: &str) -> Option<u32> {
        TraceHeader::parse(&format!("Root=1-5e-1;Lineage={lineage};Sampled=0")).depth
    }

    #[test]
    fn reads_both_versions_of_lineage() {
        assert_eq!(depth("a87bd80c:3|25da0a84:1"), Some(3));
        assert_eq!(depth("25da0a84:0"), Some(0));
        assert_eq!(depth("5:a87bd80c:0"), Some(5));
        assert_eq!(depth("32767:a87bd80c:255"), Some(32767));
    }

    #[test]
    fn a_root_is_shown_that_may_be_a_trace_id() {
        for root in ["1-5759e988-bd862e3fe1be46a994272793", "1-5e-ab"] {
            assert_eq!(shown(root), Some(root));
        }
        for root in ["", "1-hunter", "4111-1111-1111-1111", &format!("1-{}", "a".repeat(64))] {
            assert_eq!(shown(root), None, "{root}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_no_depth() {
        for lineage in ["", "x", "5", "a87bd80c:x", "5:a87bd80c:0:1", "5:zz7bd80c:0", "a:1|b:2"] {
            assert_eq!(depth(lineage), None, "{lineage}");
        }
        assert_eq!(depth("a87bd80c:99999999999"), None);
    }

    #[test]
    fn reads_root_and_parent_in_any_order() {
        let header = TraceHeader::parse("Sampled=0; Parent=53995c3f42cd8ad8 ;Root=1-5759e988-bd86");
        assert_eq!(header.root.as_deref(), Some("1-5759e988-bd86"));
        assert_eq!(header.parent.as_deref(), Some("53995c3f42cd8ad8"));
        assert_eq!(TraceHeader::parse("=;;Root=;nonsense"), TraceHeader::default());
    }
}
