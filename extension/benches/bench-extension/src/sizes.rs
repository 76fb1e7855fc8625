//! How large programs are.

use crate::Result;
use crate::programs::Program;
use crate::table::{Table, grouped};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;
use std::path::Path;

/// The size of a program, and of it in a zip file, both in bytes.
pub(crate) fn bytes(program: &Path) -> Result<(u64, u64)> {
    let content = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&content)?;
    Ok((content.len() as u64, packed.finish()?.len() as u64))
}

pub(crate) fn measure(programs: &[Program], table: &mut Table) -> Result<()> {
    let mut cells = [Vec::new(), Vec::new()];
    for program in programs {
        let (plain, packed) = bytes(&program.path)?;
        cells[0].push(grouped(plain / 1_000));
        cells[1].push(grouped(packed / 1_000));
    }
    table.row("program, KB", "3,200; lean 1,200", &cells[0]);
    table.row("the same in a zip file, KB", "1,600; lean 600", &cells[1]);
    Ok(())
}
