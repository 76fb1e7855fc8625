//! The extension in the file system of a container image.
//!
//! Lambda runs an image's extensions as it runs a layer's: from `/opt/extensions`, in the image's own
//! file system, as a user that the image does not choose. What an image holds beside it is up to
//! whoever made it; here that is what the binary links, and nothing else.

use crate::environment::{extension, finish, rust};
use demo::Scenario;
use lambda_sandbox::{Config, ExtensionConfig, Sandbox};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nobody, who may do nothing.
const USER: &str = "--userspec=65534:65534";

/// Why no other root can be had here, after a line that says so; with `TRIAGE_TEST_ALL` set that is
/// a failure.
fn can_change_root() -> bool {
    let probe = Command::new("chroot").args([USER, "/", "/bin/true"]).output();
    let missing = match probe {
        Ok(probe) if probe.status.success() => return true,
        Ok(probe) => String::from_utf8_lossy(&probe.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    // Not eprintln, which the test harness would capture.
    let line = format!("skipped: the container image, since root cannot be changed: {missing}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    assert!(!all, "{line}");
    false
}

/// What the dynamic linker loads for a binary, itself included.
fn libraries(binary: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(binary).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let words = listed.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}

fn copy_into(root: &Path, file: &Path, to: &Path) {
    let to = root.join(to.strip_prefix("/").unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(file, to).unwrap();
}

/// The extension within `root`, run by a script of its name.
fn config(root: &Path, scripts: &Path) -> Config {
    let binary = extension();
    copy_into(root, binary, Path::new("/opt/extensions/lambda-triage"));
    for library in libraries(binary) {
        copy_into(root, &library, &library);
    }
    let script = scripts.join("lambda-triage");
    let line = format!("exec chroot {USER} '{}' /opt/extensions/lambda-triage", root.display());
    fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    // A temporary directory is its owner's alone.
    fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
    Config { extensions: vec![ExtensionConfig::new(script)], ..rust() }
}

/// No /proc, /etc, /dev, /tmp, nor anything that may be written.
#[tokio::test]
async fn it_needs_nothing_of_the_image_but_what_it_links() {
    if !can_change_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("image");
    fs::create_dir(&root).unwrap();
    let sandbox = Sandbox::start(config(&root, directory.path())).await.unwrap();
    let is_it = |scenario: &Scenario| ["kms", "timeout"].contains(&scenario.name);
    let (mut outcomes, mut expected) = (Vec::new(), Vec::new());
    for scenario in demo::scenarios().iter().filter(|scenario| is_it(scenario)) {
        for mut one in scenario.expected.clone() {
            one.call += outcomes.len();
            expected.push(one);
        }
        outcomes.extend(scenario.play(&sandbox).await.unwrap());
    }
    assert_eq!(expected.len(), 2);
    finish(&sandbox, &expected, &outcomes).await;
    let left: Vec<_> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| ["opt", "lib", "lib64", "usr"].iter().any(|n| name == n)));
}
