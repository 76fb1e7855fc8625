//! What does not depend on the machine, held to `../../budgets.toml`.

use crate::Result;
use crate::instructions;
use crate::programs::{Program, cargo, layer, root};
use crate::sizes;
use crate::table::grouped;
use clap::Args;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const FILE: &str = "extension/benches/budgets.toml";
const HEAD: &str = "\
# What `cargo bench-extension check` holds the layer's programs to, as last accepted: written by
# `cargo bench-extension check --accept`. Sizes in KB, instructions as callgrind counts them on this
# architecture, logs in MiB as delivered.
";

/// The command `check`.
#[derive(Args)]
pub(crate) struct Check {
    /// Where deploy/layer/build has put the layers, full and lean
    #[arg(long, default_value = "target/layer")]
    layers: PathBuf,
    /// Write what is measured into the file of budgets
    #[arg(long)]
    accept: bool,
}

#[derive(Deserialize)]
struct Budgets {
    architecture: String,
    /// By how much a figure may exceed its budget: its name or the end of it, and percent.
    tolerance_percent: BTreeMap<String, f64>,
    full: BTreeMap<String, u64>,
    lean: BTreeMap<String, u64>,
}

impl Budgets {
    fn tolerance_of(&self, name: &str) -> f64 {
        let unit = name.rsplit('_').next().unwrap_or(name);
        let tolerance = self.tolerance_percent.get(name).or(self.tolerance_percent.get(unit));
        tolerance.copied().unwrap_or_default()
    }
}

type Figures = Vec<(&'static str, u64)>;

impl Check {
    pub(crate) fn run(&self) -> Result<()> {
        let path = root().join(FILE);
        let budgets: Budgets = toml::from_str(&std::fs::read_to_string(&path)?)?;
        let here = std::env::consts::ARCH;
        if budgets.architecture != here {
            println!("left out: budgets are those of {}, and this is {here}", budgets.architecture);
            return Ok(());
        }
        let can_count = instructions::can_be_counted();
        if !can_count {
            println!("left out: counts of instructions, as there is no valgrind");
            if std::env::var("TRIAGE_TEST_ALL").is_ok_and(|all| !all.is_empty()) || self.accept {
                return Err("valgrind is called for".into());
            }
        }
        let full = self.figures("", can_count)?;
        let lean = self.figures("lean-", can_count)?;
        let (mut grown, mut shrunk) = (Vec::new(), false);
        for (build, figures, stored) in
            [("full", &full, &budgets.full), ("lean", &lean, &budgets.lean)]
        {
            for (name, measured) in figures {
                let tolerance = budgets.tolerance_of(name);
                let (verdict, change) = verdict(*measured, stored.get(*name).copied(), tolerance);
                println!("{build}.{name}: {change}");
                shrunk |= verdict == Verdict::Less;
                if verdict == Verdict::More {
                    grown.push(format!(
                        "{build}.{name}: {change}, where {tolerance} % more is let pass"
                    ));
                }
            }
        }
        if self.accept {
            return Ok(std::fs::write(path, written(&budgets, &full, &lean))?);
        }
        if !grown.is_empty() {
            return Err(format!(
                "over budget:\n  {}\nIf that is worth it: cargo bench-extension check --accept, and \
                 say what for in the commit.",
                grown.join("\n  ")
            )
            .into());
        }
        if shrunk {
            println!("What is gained is kept by cargo bench-extension check --accept.");
        }
        Ok(())
    }

    /// Of the full build, or of the one with a prefix. Of three counts the middle one is taken.
    fn figures(&self, prefix: &str, can_count: bool) -> Result<Figures> {
        let path = layer(&self.layers, prefix);
        let (binary, zip) = sizes::bytes(&path).map_err(|e| {
            format!("{e}; deploy/layer/build and deploy/layer/build --lean make it")
        })?;
        let mut figures = vec![
            ("binary_kb", binary / 1_000),
            ("zip_kb", zip / 1_000),
            ("crates", crates(!prefix.is_empty())?),
        ];
        if can_count {
            let program = Program::new("lambda-triage", path);
            let counts = [count(&program)?, count(&program)?, count(&program)?];
            figures.extend((0..counts[0].len()).map(|n| {
                let (name, _) = counts[0][n];
                let mut figure = counts.each_ref().map(|counts| counts[n].1);
                figure.sort_unstable();
                (name, figure[1])
            }));
        }
        Ok(figures)
    }
}

fn count(program: &Program) -> Result<[(&'static str, u64); 5]> {
    let counted = instructions::count(program)?;
    Ok([
        ("start_and_end_instructions", counted.start_and_end),
        ("invocation_instructions", counted.invocation),
        ("text_mib_instructions", counted.text_mib),
        ("json_mib_instructions", counted.json_mib),
        ("errors_mib_instructions", counted.errors_mib),
    ])
}

/// How many packages it is built of, with itself and those that only build it.
fn crates(is_lean: bool) -> Result<u64> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", "lambda-triage", "--edges", "no-dev"]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    if is_lean {
        tree.arg("--no-default-features");
    }
    let output = tree.output()?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let tree = String::from_utf8(output.stdout)?;
    let packages: BTreeSet<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|l| !l.is_empty()).collect();
    Ok(packages.len() as u64)
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Within,
    Less,
    More,
}

/// With what is said of it.
fn verdict(measured: u64, budget: Option<u64>, tolerance_percent: f64) -> (Verdict, String) {
    let told = grouped(measured);
    let Some(budget) = budget else {
        return (Verdict::More, format!("{told}, and there is no budget"));
    };
    let percent = (measured as f64 - budget as f64) * 1e2 / budget.max(1) as f64;
    let change = format!("{told}, budget {}: {percent:+.1} %", grouped(budget));
    let verdict = match percent {
        more if more > tolerance_percent => Verdict::More,
        less if less < -tolerance_percent => Verdict::Less,
        _ => Verdict::Within,
    };
    (verdict, change)
}

fn written(budgets: &Budgets, full: &Figures, lean: &Figures) -> String {
    let mut text = format!("{HEAD}architecture = \"{}\"\n", budgets.architecture);
    text +=
        "\n# How many percent more than its budget passes, by a figure's name or the end of it.\n";
    text += "[tolerance_percent]\n";
    for (unit, percent) in &budgets.tolerance_percent {
        text += &format!("{unit} = {percent:.1}\n");
    }
    for (build, figures) in [("full", full), ("lean", lean)] {
        text += &format!("\n[{build}]\n");
        for (name, figure) in figures {
            text += &format!("{name} = {figure}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_tolerance_is_over_budget() {
        let of = |measured, budget| verdict(measured, budget, 2.0).0;
        assert_eq!(of(102, Some(100)), Verdict::Within);
        assert_eq!(of(103, Some(100)), Verdict::More);
        assert_eq!(of(98, Some(100)), Verdict::Within);
        assert_eq!(of(97, Some(100)), Verdict::Less);
        assert_eq!(of(1, None), Verdict::More);
        assert_eq!(verdict(1_100, Some(1_000), 2.0).1, "1,100, budget 1,000: +10.0 %");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let text = std::fs::read_to_string(root().join(FILE)).unwrap();
        let budgets: Budgets = toml::from_str(&text).unwrap();
        let figures = [("crates", 7)].to_vec();
        let again: Budgets = toml::from_str(&written(&budgets, &figures, &figures)).unwrap();
        assert_eq!(again.tolerance_percent, budgets.tolerance_percent);
        assert_eq!(again.full["crates"], 7);
        assert_eq!(again.lean["crates"], 7);
    }
}
