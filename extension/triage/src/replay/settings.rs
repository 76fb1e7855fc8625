//! The options of `triage replay`: the extension's settings, and what a log alone does not tell.

use crate::input::Format;
use std::path::PathBuf;
use triage_diagnosis::signatures::is_custom_problem;
use triage_diagnosis::{Function, InvocationRate, Mount, Settings, problems};

/// What to replay, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayOptions {
    /// The file to read; - or none is standard input
    pub(crate) file: Option<PathBuf>,
    /// The format of the input, where it is not told from its beginning
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// How to tell what is found: text on a terminal, JSON lines elsewhere
    #[arg(long, value_enum)]
    pub(crate) output: Option<OutputFormat>,
    /// The function's timeout in seconds, which a log does not tell: near-timeout needs it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    timeout: Option<u64>,
    /// The function's name, for the lines and the metrics' dimension
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    function_name: String,
    /// The function's version; the names of log streams tell it
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    function_version: String,
    /// Several invocations ran at once in one environment (Lambda Managed Instances)
    #[arg(long)]
    concurrent: bool,
    /// A file system that was mounted, which makes efs-access surer; once for each of them
    ///
    /// TYPE is the kernel's name for it, nfs4 if none is given, which EFS and S3 Files are: /mnt/efs,
    /// /mnt/data:ext4. Without this option nothing is known of mounts, as no log tells of them.
    #[arg(long = "mount", value_name = "PATH[:TYPE]", value_parser = mount)]
    mounts: Vec<Mount>,
    /// TRIAGE_NEAR_TIMEOUT_PERCENT: from how much of the timeout on near-timeout is told; 0 = never
    #[arg(long, value_name = "PERCENT", default_value_t = Settings::default().near_timeout_percent, value_parser = clap::value_parser!(u8).range(0..=100))]
    near_timeout_percent: u8,
    /// TRIAGE_RECURSION_DEPTH: from which depth of a chain on recursion is told
    #[arg(long, value_name = "DEPTH", default_value_t = Settings::default().recursion_depth, value_parser = clap::value_parser!(u32).range(1..))]
    recursion_depth: u32,
    /// TRIAGE_RECURSION_RATE: so many invocations of one environment in so many seconds are suspected
    #[arg(long, value_name = "N/SECONDS")]
    recursion_rate: Option<InvocationRate>,
    /// TRIAGE_DISABLE: problems that are not told, separated by commas
    #[arg(long, value_name = "PROBLEMS", value_delimiter = ',', value_parser = problem)]
    disable: Vec<String>,
    /// TRIAGE_SIGNATURES: a TOML file of your own signatures
    #[arg(long, value_name = "FILE")]
    pub(super) signatures: Option<PathBuf>,
    /// TRIAGE_NAMESPACE: the CloudWatch namespace in JSON lines
    #[arg(long, value_name = "NAMESPACE", default_value_t = Settings::default().namespace)]
    namespace: String,
    /// TRIAGE_METRICS: whether JSON lines hold the metrics for CloudWatch
    #[arg(long, value_enum, default_value_t = Metrics::Emf)]
    pub(crate) metrics: Metrics,
}

/// How to tell what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// To be read
    Text,
    /// The lines that the extension writes
    Json,
}

/// Whether JSON lines hold the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Metrics {
    /// In CloudWatch's embedded metric format
    Emf,
    /// No
    Off,
}

impl ReplayOptions {
    pub(super) fn settings(&self) -> Settings {
        Settings {
            namespace: self.namespace.clone(),
            near_timeout_percent: self.near_timeout_percent,
            recursion_depth: self.recursion_depth,
            recursion_rate: self.recursion_rate,
            disabled: self.disable.clone(),
        }
    }

    pub(super) fn function(&self) -> Function {
        Function {
            name: self.function_name.clone(),
            version: self.function_version.clone(),
            concurrent: self.concurrent,
            memory_size_mb: None,
        }
    }

    /// None where nothing is known of them.
    pub(super) fn mounts(&self) -> Option<Vec<Mount>> {
        Some(self.mounts.clone()).filter(|mounts| !mounts.is_empty())
    }

    pub(super) fn timeout_ms(&self) -> Option<u64> {
        Some(self.timeout? * 1_000)
    }
}

fn problem(name: &str) -> Result<String, String> {
    let name = name.trim().to_ascii_lowercase();
    if problems().any(|problem| problem == name) || is_custom_problem(&name) {
        return Ok(name);
    }
    Err("there is no such problem; `triage list` shows all".to_owned())
}

/// `/mnt/efs` or `/mnt/efs:nfs4`
fn mount(text: &str) -> Result<Mount, String> {
    let (point, fs_type) = text.rsplit_once(':').unwrap_or((text, EFS_TYPE));
    let is_name = !fs_type.is_empty() && !fs_type.contains('/');
    if point.starts_with('/') && is_name {
        return Ok(Mount {
            point: point.to_owned(),
            fs_type: fs_type.to_owned(),
            is_read_only: false,
        });
    }
    Err("an absolute path is wanted, and after a colon the type: /mnt/efs:nfs4".to_owned())
}

/// As which the kernel mounts EFS and S3 Files.
const EFS_TYPE: &str = "nfs4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_a_path_and_a_type() {
        for (text, point, fs_type) in [
            ("/mnt/efs", "/mnt/efs", "nfs4"),
            ("/mnt/efs:nfs", "/mnt/efs", "nfs"),
            ("/:ext4", "/", "ext4"),
            ("/mnt/a:b:ext4", "/mnt/a:b", "ext4"),
        ] {
            let expected =
                Mount { point: point.to_owned(), fs_type: fs_type.to_owned(), is_read_only: false };
            assert_eq!(mount(text), Ok(expected), "{text}");
        }
        for text in ["", "mnt/efs", ":nfs4", "/mnt/efs:", "/mnt:/efs"] {
            assert!(mount(text).is_err(), "{text}");
        }
    }
}
