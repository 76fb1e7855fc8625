//! The programs that are measured, each built as it ships.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An extension's program.
pub(crate) struct Program {
    /// Of its column.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Of its environment, beside those that Lambda sets.
    pub(crate) variables: Vec<(String, String)>,
}

impl Program {
    pub(crate) fn new(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), path, variables: Vec::new() }
    }

    /// Anybody's.
    pub(crate) fn other(path: &Path, variables: &[(String, String)]) -> Result<Self> {
        let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.file_name().ok_or("a program has a name")?.to_string_lossy().into_owned();
        Ok(Self { name, path, variables: variables.to_vec() })
    }
}

/// Ours, full and lean, as they are in the layers or else as cargo builds them, and those that ours is
/// compared with.
pub(crate) fn built(layers: Option<&Path>) -> Result<Vec<Program>> {
    let ours = "lambda-triage";
    let [full, lean] = match layers {
        Some(layers) => [layer(layers, ""), layer(layers, "lean-")],
        None => {
            [build(ours, ours, "", &[])?, build(ours, ours, "lean", &["--no-default-features"])?]
        }
    };
    // Their decoding is built for speed, as ours is (profile.release.package).
    let for_speed = |package| format!("profile.release.package.{package}.opt-level=3");
    let bare = for_speed("telemetry-decoding");
    let client = for_speed("lambda-extension-client");
    let bare = ["--config", bare.as_str()];
    let client = ["--config", client.as_str()];
    Ok(vec![
        Program::new(ours, full),
        Program::new("lean", lean),
        Program::new("bare hyper", build("bare-client", "bare-client", "", &bare)?),
        Program::new(
            "lambda-extension",
            build("lambda-extension-client", "lambda-extension-client", "", &client)?,
        ),
        Program::new("owned values", build("bare-client", "owned-values-client", "", &bare)?),
    ])
}

/// Builds a package's program alone, so that no other package's features are on: below target/, or a
/// folder of its own in there.
fn build(package: &str, program: &str, folder: &str, options: &[&str]) -> Result<PathBuf> {
    let target = target().join(folder);
    let status = cargo()
        .args(["build", "--quiet", "--release", "--package", package, "--bin", program])
        .args(options)
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err(format!("{program} does not build").into());
    }
    Ok(target.join("release").join(program))
}

/// The program that deploy/layer/build has put into a folder, of the full layer or of one with a prefix.
pub(crate) fn layer(layers: &Path, prefix: &str) -> PathBuf {
    let here = std::env::consts::ARCH;
    // As Lambda calls it.
    let architecture = if here == "aarch64" { "arm64" } else { here };
    let path = format!("{prefix}{architecture}/extensions/lambda-triage");
    root().join(layers).join(path)
}

/// Cargo, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn target() -> PathBuf {
    // This program is in target/debug, wherever that is.
    let of_this = std::env::current_exe().ok();
    let target = of_this.as_deref().and_then(|path| path.parent()?.parent());
    target.map_or_else(|| root().join("target"), Path::to_owned)
}
