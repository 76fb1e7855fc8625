//! What must hold whatever comes in. Each property takes bytes, makes of them what it is about, and
//! panics where it does not hold. The fuzz targets in `fuzz/` and `cargo test` run the same ones.

mod decoder;
mod log_excerpt;
mod machine;
mod proc_files;
mod skipping;
mod telemetry;
mod trace_header;
pub(crate) mod watch;
mod why;

/// Panics where it does not hold for these bytes.
type Property = fn(&[u8]);

/// The properties by the names of their fuzz targets and of their folders in the corpus.
pub(crate) const ALL: [(&str, Property); 8] = [
    ("decoder", decoder::holds),
    ("log_excerpt", log_excerpt::holds),
    ("machine", machine::holds),
    ("proc_files", proc_files::holds),
    ("skipping", skipping::holds),
    ("telemetry", telemetry::holds),
    ("trace_header", trace_header::holds),
    ("why", why::holds),
];

/// Fails unless the property of this name holds for these bytes.
pub(crate) fn holds(name: &str, bytes: &[u8]) {
    let known = ALL.iter().find(|(known, _)| *known == name);
    let (_, property) = known.unwrap_or_else(|| panic!("there is no property {name}"));
    property(bytes);
}
