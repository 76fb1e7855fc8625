//! What a slow or absent API does to the function, in figures:
//! `cargo test -p lambda-triage --test put_metrics -- --ignored --nocapture`.

use crate::ministack::ministack;
use crate::proxy::{Fault, Proxy};
use crate::runs::{config, end, to};
use lambda_sandbox::{Invocation, Sandbox};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

const INVOCATIONS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn invocations_beside_a_slow_api() {
    let Some(ministack) = ministack() else { return };
    let proxy = |fault| Proxy::start(ministack.address, &[fault]).url();
    let nobody = "http://127.0.0.1:1".to_owned();
    for (what, url) in [
        ("emf", None),
        ("cloudwatch", Some(proxy(Fault::None))),
        ("answers 5 s late", Some(proxy(Fault::Late(Duration::from_secs(5))))),
        ("never answers", Some(proxy(Fault::Silence))),
        ("nobody there", Some(nobody)),
    ] {
        let variables = url.as_deref().map(to);
        let variables = variables.as_ref().map_or(&[("TRIAGE_FLUSH", "lazy")][..], |all| all);
        let sandbox = Sandbox::start(config("Triage/Figures", variables)).await.unwrap();
        let (mut durations, mut post_runtime_ms) = (Vec::new(), 0.0);
        for _ in 0..INVOCATIONS {
            let steps = json!([{ "print": "KMSDisabledException: no" }, { "sleep_ms": 60 }]);
            let invocation = Invocation::new(json!({ "steps": steps }).to_string());
            let outcome = sandbox.invoke(invocation).await.unwrap();
            durations.push(outcome.duration_ms);
            post_runtime_ms += outcome.post_runtime_ms;
        }
        let run = end(&sandbox, "Triage/Figures").await;
        durations.sort_by(f64::total_cmp);
        let line = format!(
            "{what}: duration, ms: median {:.1}, most {:.1}; post-runtime in all, ms: {post_runtime_ms}; leaving, ms: {}\n",
            durations[INVOCATIONS / 2],
            durations[INVOCATIONS - 1],
            run.leaving.as_millis()
        );
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}
