//! What is in `deploy/` against the detectors and against CloudWatch's rules.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod companion;
mod dashboard;
mod fresh;
mod queries;
mod scenarios;
mod templates;
mod told;

use lambda_sandbox::{Stack, StackSettings, Template};
use std::path::{Path, PathBuf};

fn in_deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(in_deploy(path)).expect(path)
}

const TEMPLATES: [&str; 2] = ["sam/template.yaml", "sam/monitoring.yaml"];
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:oncall";

/// The stack that a template makes for the function `orders`, with these parameters besides.
fn stack(template: &str, more: &[(&str, &str)]) -> Stack {
    let mut parameters = vec![("FunctionName", "orders"), ("AlarmTopicArn", TOPIC)];
    if template.ends_with("monitoring.yaml") {
        parameters.push(("LogGroup", "/aws/lambda/orders"));
    }
    parameters.extend(more);
    let parameters =
        parameters.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    // The role that SAM makes for a function, and the layer's name with its version.
    let names = [("FunctionRole", "orders-role")].map(|(id, name)| (id.into(), name.into())).into();
    let template = Template::parse(&read(template)).unwrap();
    template.stack(StackSettings { parameters, names, ..StackSettings::default() }).unwrap()
}
