//! Every service error that the function can cause, as each of AWS's SDKs writes it.

use crate::environment::{finish, rust};
use demo::Expected;
use lambda_sandbox::{Invocation, Sandbox, Status};

const SDKS: [&str; 5] = ["rust", "python", "java", "javascript", "go"];

/// The problem to ask for, and the one to be diagnosed.
const KMS: [(&str, &str); 7] = [
    ("kms-access-denied", "kms-access-denied"),
    ("kms-disabled", "kms-disabled"),
    ("kms-invalid-state", "kms-invalid-state"),
    ("kms-not-found", "kms-not-found"),
    ("kms-throttled", "kms-throttled"),
    ("kms-unusable", "kms-unusable"),
    ("kms-unavailable", "kms-unavailable"),
];
const KMS_OF_ANOTHER: [(&str, &str); 4] = [
    ("invoke-kms-access-denied", "kms-access-denied"),
    ("invoke-kms-disabled", "kms-disabled"),
    ("invoke-kms-invalid-state", "kms-invalid-state"),
    ("invoke-kms-not-found", "kms-not-found"),
];
const FILE_SYSTEMS: [(&str, &str); 4] = [
    ("efs-mount-failure", "efs-mount-failure"),
    ("efs-mount-connectivity", "efs-mount-connectivity"),
    ("efs-mount-timeout", "efs-mount-timeout"),
    ("efs-io", "efs-io"),
];

#[tokio::test]
async fn kms() {
    prove("function", "KmsErrors", &KMS).await;
}

#[tokio::test]
async fn kms_of_a_function_that_was_called() {
    prove("caller", "KmsErrors", &KMS_OF_ANOTHER).await;
}

#[tokio::test]
async fn file_systems_of_a_function_that_was_called() {
    prove("caller", "EfsFailures", &FILE_SYSTEMS).await;
}

async fn prove(view: &'static str, metric: &'static str, problems: &[(&str, &'static str)]) {
    let sandbox = Sandbox::start(rust()).await.unwrap();
    let mut outcomes = Vec::new();
    let mut expected = Vec::new();
    for (asked, problem) in problems {
        for sdk in SDKS {
            for caught in [true, false] {
                expected.push(Expected {
                    call: outcomes.len(),
                    problem,
                    stage: "confirmed",
                    view,
                    metrics: vec![(metric, 1.0), ("Problems", 1.0)],
                });
                let event = format!(r#"{{"problem":"{asked}","sdk":"{sdk}","caught":{caught}}}"#);
                let outcome = sandbox.invoke(Invocation::new(event)).await.unwrap();
                let wanted = if caught { Status::Success } else { Status::Error };
                assert_eq!(outcome.status, wanted, "{asked} {sdk}");
                outcomes.push(outcome);
            }
        }
    }
    finish(&sandbox, &expected, &outcomes).await;
}
