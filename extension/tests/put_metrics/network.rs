//! What stands between the extension and the API: names that nobody knows, certificates that nobody trusts.

use crate::ministack::{Certificates, ministack};
use crate::runs::{Run, config, end, expected, to, trouble};
use lambda_sandbox::Sandbox;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The metrics are in the lines, and why is said once.
async fn assert_written(run: &Run, namespace: &str, why: &str) {
    assert_eq!(run.embedded, expected(namespace, 1).await);
    let [said] = &run.said[..] else { panic!("{:?}", run.said) };
    assert!(said.contains(why), "{said}");
    assert!(run.leaving < Duration::from_millis(1_900), "{:?}", run.leaving);
}

/// The extension where `/etc/resolv.conf` is this file.
fn with_name_servers(folder: &Path, text: &str) -> PathBuf {
    let (file, program) = (folder.join("resolv.conf"), folder.join("lambda-triage"));
    std::fs::write(&file, text).unwrap();
    let mount = format!("mount --bind {} /etc/resolv.conf", file.display());
    let binary = env!("CARGO_BIN_EXE_lambda-triage");
    let script = format!("#!/bin/sh\nexec unshare --mount sh -c '{mount} && exec {binary}'\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// A lookup hangs for 10 s in the C library and cannot be given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_never_answers_costs_nothing() {
    let may_mount = Command::new("unshare").args(["--mount", "true"]).output();
    let may_mount = may_mount.is_ok_and(|done| done.status.success());
    let (Ok(silent), true) = (UdpSocket::bind("127.0.0.97:53"), may_mount) else {
        let line = b"skipped: a name server that never answers, as root alone can have one\n";
        return std::io::stderr().write_all(line).unwrap();
    };
    let (namespace, folder) = ("Triage/NoNames", tempfile::tempdir().unwrap());
    let mut config = config(namespace, &to("http://cloudwatch.invalid"));
    config.extensions[0].path = with_name_servers(folder.path(), "nameserver 127.0.0.97\n");
    let sandbox = Sandbox::start(config).await.unwrap();
    trouble(&sandbox, 1).await;
    let run = end(&sandbox, namespace).await;
    silent.set_nonblocking(true).unwrap();
    assert!(silent.recv(&mut [0; 512]).is_ok(), "it was not asked");
    assert_written(&run, namespace, "no connection to cloudwatch.invalid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_go_by_tls_to_whom_the_images_certificates_trust_and_to_nobody_else() {
    let Some(plain) = ministack() else { return };
    let namespace = "Triage/Tls";
    let (Some(certificates), Some(others)) = (Certificates::make(), Certificates::make()) else {
        return;
    };
    let ministack = plain.another_with_tls(&certificates);
    let url = ministack.url();
    let run = |trusted: PathBuf| {
        let url = url.clone();
        async move {
            let trusted = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
            let variables = [&to(&url)[..], &trusted].concat();
            let sandbox = Sandbox::start(config(namespace, &variables)).await.unwrap();
            trouble(&sandbox, 1).await;
            end(&sandbox, namespace).await
        }
    };
    let refused = run(others.authority()).await;
    assert_written(&refused, namespace, "has no certificate that is trusted here").await;
    assert!(ministack.read(namespace).is_empty());
    let sent = run(certificates.authority()).await;
    assert_eq!(sent.said, Vec::<String>::new());
    assert!(sent.embedded.is_empty(), "{:?}", sent.embedded);
    assert_eq!(ministack.read(namespace), expected(namespace, 1).await);
}
