//! Lambda Triage: an AWS Lambda extension that says why an invocation went wrong.

fn main() {
    lambda_triage::start();
}
