//! The table, in Markdown, printed row by row as it comes to be.

use crate::Result;
use crate::programs::Program;

/// A table with a column for each program.
pub(crate) struct Table(());

impl Table {
    /// Prints the head.
    pub(crate) fn new(programs: &[Program]) -> Self {
        let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
        println!("| | target | {} |", names.join(" | "));
        println!("|---|---|{}", "--:|".repeat(names.len()));
        Self(())
    }

    /// Prints a row; `target` is what it is hoped for, or empty.
    pub(crate) fn row(&mut self, what: &str, target: &str, cells: &[String]) {
        println!("| {what} | {target} | {} |", cells.join(" | "));
    }

    /// Prints rows, of which each program's figures are a column. A program that could not be measured
    /// has none, and a line on standard error says why.
    pub(crate) fn rows<const N: usize>(
        &mut self,
        heads: [(&str, &str); N],
        programs: &[Program],
        columns: Vec<Result<[String; N]>>,
    ) {
        let columns: Vec<[String; N]> = programs
            .iter()
            .zip(columns)
            .map(|(program, column)| {
                column.unwrap_or_else(|error| {
                    eprintln!("{}: {} not measured: {error}", program.name, heads[0].0);
                    std::array::from_fn(|_| "–".to_owned())
                })
            })
            .collect();
        for (n, (what, target)) in heads.into_iter().enumerate() {
            let cells: Vec<String> = columns.iter().map(|column| column[n].clone()).collect();
            self.row(what, target, &cells);
        }
    }
}

/// 12,345,678
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which a part of the values lies, in a sorted, filled list.
pub(crate) fn quantile<T: Copy>(sorted: &[T], part: f64) -> T {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
