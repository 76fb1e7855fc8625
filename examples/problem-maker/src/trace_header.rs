//! The X-Amzn-Trace-Id header of the next invocation in a chain.

/// The header that an SDK call made in this invocation would hand on, as the invocation it causes
/// receives it: the same Root, a new Parent, and the Lineage, if there is one, grown by a pass.
///
/// Lineage is `<passes>:<8 hex>:<counter>`, or in its first version `<8 hex>:<passes>` parts
/// joined by `|`; what is in neither form is handed on unchanged.
pub(crate) fn next_hop(header: &str, request_id: &str) -> String {
    let fields = header.split(';').map(str::trim).map(|field| match field.split_once('=') {
        Some(("Parent", _)) => format!("Parent={}", parent_of(request_id)),
        Some(("Lineage", lineage)) => format!("Lineage={}", grown(lineage)),
        _ => field.to_owned(),
    });
    fields.collect::<Vec<_>>().join(";")
}

/// 16 hex digits that differ from invocation to invocation, as the id of a segment does.
fn parent_of(request_id: &str) -> String {
    let digits: String =
        request_id.chars().rev().filter(char::is_ascii_hexdigit).take(16).collect();
    format!("{digits:0<16}")
}

fn grown(lineage: &str) -> String {
    let grow = |count: &str| count.parse::<u32>().ok().map(|count| count.saturating_add(1));
    let parts: Vec<&str> = lineage.split(':').collect();
    if let [passes, hash, counter] = parts[..]
        && let Some(passes) = grow(passes)
    {
        return format!("{passes}:{hash}:{counter}");
    }
    let first = |part: &str| {
        let (hash, passes) = part.split_once(':')?;
        Some(format!("{hash}:{}", grow(passes)?))
    };
    // The chain's only function is this one, so its part, the last, is the one that grows.
    let (others, last) = match lineage.rsplit_once('|') {
        Some((others, last)) => (format!("{others}|"), last),
        None => (String::new(), lineage),
    };
    format!("{others}{}", first(last).unwrap_or_else(|| last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::next_hop;

    const ID: &str = "8e1c1d3b-70a9-4cf5-a3a9-6a1f3a6f0c11";

    #[test]
    fn keeps_root_changes_parent_and_grows_lineage() {
        assert_eq!(
            next_hop("Root=1-5e-ab;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=3:a87bd80c:0", ID),
            "Root=1-5e-ab;Parent=11c0f6a3f1a69a3a;Sampled=0;Lineage=4:a87bd80c:0"
        );
    }

    #[test]
    fn grows_the_last_part_of_the_first_version() {
        assert_eq!(next_hop("Lineage=a87bd80c:1|68fd508a:5", ID), "Lineage=a87bd80c:1|68fd508a:6");
        assert_eq!(next_hop("Lineage=a87bd80c:1", ID), "Lineage=a87bd80c:2");
    }

    #[test]
    fn a_tracer_that_dropped_the_lineage_leaves_none() {
        assert_eq!(next_hop("Root=1-5e-ab; Sampled=1", ID), "Root=1-5e-ab;Sampled=1");
        assert_eq!(next_hop("", ID), "");
        assert_eq!(next_hop("Lineage=?", ID), "Lineage=?");
    }
}
