//! A function that takes all the memory there is, in a control group as small as its own.

use crate::play::EXTENSION;
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LogSource, Sandbox, ShutdownReason,
    Status, cargo_example,
};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT_MB: u64 = 64;
const ROUNDS: usize = 5;

/// A memory control group; its processes must be gone when it is dropped.
struct Group(PathBuf);

impl Group {
    /// None, after a line that says why, where none can be made.
    fn new() -> Option<Self> {
        let name = format!("lambda-triage-{}", std::process::id());
        let limit = (LIMIT_MB << 20).to_string();
        let version_1 = PathBuf::from("/sys/fs/cgroup/memory").join(&name);
        let version_2 = PathBuf::from("/sys/fs/cgroup").join(&name);
        let made = if version_1.parent()?.exists() {
            std::fs::create_dir(&version_1)
                .and_then(|()| std::fs::write(version_1.join("memory.limit_in_bytes"), &limit))
                .map(|()| version_1)
        } else {
            std::fs::create_dir(&version_2)
                .and_then(|()| std::fs::write(version_2.join("memory.max"), &limit))
                .map(|()| version_2)
        };
        match made {
            Ok(path) => Some(Self(path)),
            Err(error) => {
                let line =
                    format!("skipped: want of memory, as no control group can be made: {error}\n");
                // Not eprintln, which the test harness would capture.
                let _ = std::io::stderr().write_all(line.as_bytes());
                None
            }
        }
    }

    fn add(&self, pid: u32) {
        std::fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_all_memory_is_killed_alone_and_what_it_said_is_told() {
    let Some(group) = Group::new() else { return };
    let function = cargo_example("fixture_function").unwrap();
    let sandbox = Sandbox::start(Config {
        function: FunctionConfig {
            name: "orders".into(),
            timeout: Duration::from_secs(20),
            ..FunctionConfig::new([function.to_string_lossy()])
        },
        extensions: vec![ExtensionConfig::new(env!("CARGO_BIN_EXE_lambda-triage"))],
        ..Config::default()
    })
    .await
    .unwrap();
    for round in 0..ROUNDS {
        // Brings the environment up again, if the last round ended it.
        let invocation = Invocation::new(r#"{"steps":[]}"#);
        assert_eq!(sandbox.invoke(invocation).await.unwrap().status, Status::Success);
        group.add(sandbox.extension_pid(EXTENSION).unwrap());
        group.add(sandbox.runtime_pid().unwrap());
        let steps = json!([
            {"print": "[ERROR] KMSDisabledException: the key is disabled"},
            {"allocate_mb": 4 * LIMIT_MB},
        ]);
        let id = format!("00000000-0000-4000-8000-{round:012}");
        let invocation =
            Invocation::new(json!({ "steps": steps }).to_string()).with_request_id(&id);
        let outcome = sandbox.invoke(invocation).await.unwrap();
        assert_eq!(outcome.error_type.as_deref(), Some("Runtime.ExitError"), "{outcome:?}");
        assert!(outcome.payload_text().contains("signal: killed"), "{outcome:?}");
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    for exit in sandbox.extension_exits() {
        assert!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    }
    let own = LogSource::Extension(EXTENSION.into());
    let told = sandbox.log().into_iter().filter(|event| event.source == own);
    let told: Vec<_> = told.filter(|event| event.text.contains("\"kms-disabled\"")).collect();
    assert_eq!(told.len(), ROUNDS, "{told:#?}");
}
