//! The workspace itself.

use std::path::Path;

/// `forbid` cannot be allowed away; what it rests on is that no package leaves the lints out.
#[test]
fn no_package_may_hold_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest =
        |folder: &str| std::fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
    let workspace = manifest("");
    let (_, lints) = workspace.split_once("[workspace.lints.rust]").unwrap();
    assert!(lints.trim_start().starts_with("unsafe_code = \"forbid\""));
    let (_, members) = workspace.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.contains(&"extension/diagnosis"), "{members:?}");
    for member in members {
        assert!(manifest(member).contains("[lints]\nworkspace = true"), "{member}");
    }
}
