//! The user's own signatures, from their file.

use std::fs::File;
use std::io::{self, Read, Write, stderr};
use std::path::Path;
use triage_diagnosis::signatures::{MAX_FILE_BYTES, Signature, parse};

/// Reads those that make sense. What is wrong with the others is said.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Signature>> {
    let mut file = Vec::new();
    // One byte more shows that it is too long.
    let most = MAX_FILE_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut file)?;
    let (signatures, errors) = parse(&file);
    for error in errors {
        // There is no other place to say it.
        let _ = writeln!(stderr(), "triage: {}, {error}; this is left out", path.display());
    }
    Ok(signatures)
}
