//! One run of the local Lambda, and the metrics that come of it on either way.

use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LogSource, LogStream, MetricStore,
    Sandbox, ShutdownReason, cargo_example,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const FUNCTION: &str = "orders";

/// By metric and function; the function is empty in the metric of all.
pub(crate) type Tally = BTreeMap<(String, String), Counted>;

/// What CloudWatch shows of a metric over all time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) sum: f64,
    pub(crate) samples: f64,
    pub(crate) max: f64,
    pub(crate) unit: String,
}

/// What the sandbox reads out of the lines.
pub(crate) fn embedded(store: &MetricStore, namespace: &str) -> Tally {
    assert_eq!(store.rejected(), []);
    store
        .iter()
        .map(|(key, points)| {
            assert_eq!(key.namespace, namespace);
            let values = points.iter().map(|point| point.value);
            let counted = Counted {
                sum: values.clone().sum(),
                samples: points.len() as f64,
                max: values.fold(f64::MIN, f64::max),
                unit: points[0].unit.clone(),
            };
            let function = key.dimensions.get("FunctionName").cloned().unwrap_or_default();
            assert_eq!(key.dimensions.len(), usize::from(!function.is_empty()));
            ((key.name.clone(), function), counted)
        })
        .collect()
}

/// Both together.
pub(crate) fn together(one: &Tally, other: &Tally) -> Tally {
    let mut all = one.clone();
    for (key, counted) in other {
        all.entry(key.clone())
            .and_modify(|sum| {
                sum.sum += counted.sum;
                sum.samples += counted.samples;
                sum.max = sum.max.max(counted.max);
            })
            .or_insert_with(|| counted.clone());
    }
    all
}

/// How many problems it tells of.
pub(crate) fn problems(tally: &Tally) -> f64 {
    tally.get(&("Problems".to_owned(), FUNCTION.to_owned())).map_or(0.0, |counted| counted.sum)
}

/// What an extension left when it was gone.
pub(crate) struct Run {
    /// Read out of the lines.
    pub(crate) embedded: Tally,
    /// Standard output.
    pub(crate) lines: Vec<Value>,
    /// Standard error.
    pub(crate) said: Vec<String>,
    /// From SHUTDOWN to the exit, the longest.
    pub(crate) leaving: Duration,
}

impl Run {
    /// The lines that tell a problem.
    pub(crate) fn diagnoses(&self) -> usize {
        self.lines.iter().filter(|line| line["diagnosis"].is_object()).count()
    }
}

pub(crate) fn config(namespace: &str, variables: &[(&str, &str)]) -> Config {
    let function = cargo_example("fixture_function").unwrap();
    let own = [("TRIAGE_NAMESPACE", namespace)];
    let env =
        own.iter().chain(variables).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Config {
        function: FunctionConfig {
            name: FUNCTION.into(),
            timeout: Duration::from_secs(20),
            ..FunctionConfig::new([function.to_string_lossy()])
        },
        extensions: vec![ExtensionConfig {
            path: env!("CARGO_BIN_EXE_lambda-triage").into(),
            env,
            ..ExtensionConfig::default()
        }],
        ..Config::default()
    }
}

/// Fails in several ways, `times` each, and ends in a timeout.
pub(crate) async fn trouble(sandbox: &Sandbox, times: u64) {
    for n in 0..times {
        let steps =
            json!([{ "print": "KMSDisabledException: the key is disabled" }, { "sleep_ms": 60 }]);
        let chain = format!(
            "Root=1-5f35ae12-0c0fec141ab77a00bc047aa{n};Parent=2be948a625588e3{n};Sampled=0;Lineage={}:0f8c6e01:0",
            5 + n
        );
        let plain = invoke(sandbox, Invocation::new(json!({ "steps": steps }).to_string())).await;
        let invocation = Invocation::new(json!({ "steps": [{ "sleep_ms": 60 }] }).to_string());
        let chained = invoke(sandbox, invocation.with_trace_header(chain)).await;
        for post_runtime_ms in [plain, chained] {
            // Exactly: it has asked for the next event long before the function is done.
            assert_eq!(post_runtime_ms, 0.0);
        }
    }
}

async fn invoke(sandbox: &Sandbox, invocation: Invocation) -> f64 {
    sandbox.invoke(invocation).await.unwrap().post_runtime_ms
}

/// Ends the sandbox as Lambda does, and requires that the extension leaves by itself and in time.
pub(crate) async fn end(sandbox: &Sandbox, namespace: &str) -> Run {
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let exits = sandbox.extension_exits();
    for exit in &exits {
        assert!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    }
    let of = |stream| {
        let log = sandbox.log().into_iter();
        log.filter(|event| matches!(event.source, LogSource::Extension(_)))
            .filter(move |event| event.stream == stream)
            .map(|event| event.text)
    };
    Run {
        embedded: embedded(&sandbox.metrics(), namespace),
        lines: of(LogStream::Stdout).map(|line| serde_json::from_str(&line).unwrap()).collect(),
        said: of(LogStream::Stderr).collect(),
        leaving: exits.iter().map(|exit| exit.took).max().unwrap_or_default(),
    }
}

/// The variables that lead to this address.
pub(crate) fn to(url: &str) -> [(&'static str, &str); 3] {
    // Lazily, so that no billed wait for telemetry hides one for CloudWatch.
    [("TRIAGE_METRICS", "cloudwatch"), ("AWS_ENDPOINT_URL", url), ("TRIAGE_FLUSH", "lazy")]
}

/// What the same trouble comes to with `emf`.
pub(crate) async fn expected(namespace: &str, times: u64) -> Tally {
    let sandbox = Sandbox::start(config(namespace, &[("TRIAGE_FLUSH", "lazy")])).await.unwrap();
    trouble(&sandbox, times).await;
    end(&sandbox, namespace).await.embedded
}
