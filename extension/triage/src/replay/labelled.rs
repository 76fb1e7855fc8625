//! The parts of one of Lambda's own log lines.

/// A line's `Label: value` parts, between which tabs stand or, where it was copied, spaces.
pub(super) struct Labelled<'a>(Vec<(&'static str, &'a str)>);

/// Of two that begin alike the longer comes first.
const LABELS: [&str; 22] = [
    "RequestId",
    "Runtime Version ARN",
    "Runtime Version",
    "Version",
    "Billed Restore Duration",
    "Restore Duration",
    "Billed Duration",
    "Init Duration",
    "Duration",
    "Memory Size",
    "Max Memory Used",
    "Phase",
    "Status",
    "Error Type",
    "Name",
    "State",
    "Events",
    "Types",
    "XRAY TraceId",
    "SegmentId",
    "Sampled",
    "Tenant Id",
];
/// The platform's lines are shorter by far.
const MAX_LINE_BYTES: usize = 4_096;

impl<'a> Labelled<'a> {
    pub(super) fn read(line: &'a str) -> Self {
        let line = &line[..line.floor_char_boundary(MAX_LINE_BYTES)];
        let mut found: Vec<(&'static str, usize, usize)> = Vec::new();
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            let label = LABELS
                .iter()
                .find(|label| rest.strip_prefix(**label).is_some_and(|rest| rest.starts_with(':')));
            if let Some(label) = label {
                let end = at + label.len() + 1;
                found.push((label, at, end));
                at = end;
            }
            // To the next word.
            let rest = &line[at..];
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let next = rest[word..].find(|c: char| !c.is_whitespace());
            at = next.map_or(line.len(), |next| at + word + next);
        }
        let ends = found.iter().skip(1).map(|(_, begin, _)| *begin).chain([line.len()]);
        let values = found.iter().zip(ends);
        Self(values.map(|((label, _, begin), end)| (*label, line[*begin..end].trim())).collect())
    }

    pub(super) fn text(&self, label: &str) -> Option<&'a str> {
        let value = self.0.iter().find(|(known, _)| *known == label)?.1;
        Some(value).filter(|value| !value.is_empty())
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.text(label).is_some()
    }

    /// `102.25 ms`, `128 MB`
    pub(super) fn number(&self, label: &str) -> Option<f64> {
        self.text(label)?.split_whitespace().next()?.parse().ok()
    }

    pub(super) fn request_id(&self) -> Option<&'a str> {
        let (label, id) = self.0.first()?;
        (*label == "RequestId" && is_request_id(id)).then_some(*id)
    }
}

/// A UUID: a function may print `START RequestId: …` of its own, but hardly with one.
pub(super) fn is_request_id(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
