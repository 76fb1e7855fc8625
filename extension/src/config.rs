//! The environment, read once.
//!
//! Nothing in it can stop the extension: a value that makes no sense costs one warning, which
//! names the variable, what kind of value it holds (never the value, which may be a secret that
//! was put into the wrong place) and what is taken instead.

mod value;

use crate::flush::FlushMode;
#[cfg(feature = "cloudwatch")]
use crate::sinks::cloudwatch::ApiAccess;
use std::ffi::OsString;
use std::path::PathBuf;
use triage_diagnosis::{InvocationRate, Settings, fault_point};
pub(crate) use value::Warning;

/// Everything that the environment decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// `AWS_LAMBDA_RUNTIME_API`, as it is; None if it is missing, empty or not UTF-8.
    pub(crate) runtime_api: Option<String>,
    /// The function, as far as the environment tells.
    pub(crate) function: FunctionIdentity,
    /// What the pure crate is to be told.
    pub(crate) settings: Settings,
    /// The file of the user's signatures: `TRIAGE_SIGNATURES`. It is read later (`signatures.rs`).
    pub(crate) signatures: Option<PathBuf>,
    /// Where metrics go: `TRIAGE_METRICS`.
    pub(crate) metrics: MetricsMode,
    /// Whether /proc may be read: `TRIAGE_PROBE`.
    pub(crate) probe: bool,
    /// When /next is asked for: `TRIAGE_FLUSH`.
    pub(crate) flush: FlushMode,
    /// From which level on the extension logs: `TRIAGE_LOG`.
    pub(crate) log: tracing::level_filters::LevelFilter,
}

/// `TRIAGE_METRICS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetricsMode {
    /// `emf`: into the lines.
    Embedded,
    /// `cloudwatch`: to CloudWatch's API.
    #[cfg(feature = "cloudwatch")]
    Sent(ApiAccess),
    /// `off`: nowhere.
    Off,
}

/// A word for [`MetricsMode`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum MetricsWord {
    Emf,
    CloudWatch,
    Off,
}

/// What Lambda's own variables say about the function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FunctionIdentity {
    /// `AWS_LAMBDA_FUNCTION_NAME`
    pub(crate) name: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_VERSION`
    pub(crate) version: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MB
    pub(crate) memory_size_mb: Option<u64>,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE` is `lambda-managed-instances`: INVOKE cannot be
    /// registered for, several invocations run at once.
    pub(crate) managed_instances: bool,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE` is `snap-start`: this process is copied to other machines
    /// while it waits for the first event.
    pub(crate) snap_start: bool,
}

fn memory_size_mb(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}

impl Config {
    /// Reads the variables through `lookup`, which gives a variable's value or None if it is not
    /// set. Cannot fail: what makes no sense is in the warnings.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> (Self, Vec<Warning>) {
        fault_point!("config");
        let mut values = value::Values::new(&lookup);
        let defaults = Settings::default();

        let metrics = metrics_mode(&mut values);
        let signatures = values.parsed(
            "TRIAGE_SIGNATURES",
            "the path of a file, from / to .toml",
            "none".to_owned(),
            // The path is told where it cannot be read, so it must be known to be one.
            |text| (text.starts_with('/') && text.ends_with(".toml")).then(|| text.to_owned()),
        );
        let signatures = signatures.starts_with('/').then(|| PathBuf::from(signatures));
        let settings = Settings {
            namespace: values.parsed(
                "TRIAGE_NAMESPACE",
                "a CloudWatch namespace of 1 to 255 characters of A-Z a-z 0-9 . - _ / # : and space, not starting with AWS/ or a colon",
                defaults.namespace,
                |text| is_namespace(text).then(|| text.to_owned()),
            ),
            near_timeout_percent: values.parsed(
                "TRIAGE_NEAR_TIMEOUT_PERCENT",
                "a whole number from 0 to 100",
                defaults.near_timeout_percent,
                |text| text.parse().ok().filter(|percent| *percent <= 100),
            ),
            recursion_depth: values.parsed(
                "TRIAGE_RECURSION_DEPTH",
                "a whole number from 1 on",
                defaults.recursion_depth,
                |text| text.parse().ok().filter(|depth| *depth >= 1),
            ),
            recursion_rate: values
                .parsed("TRIAGE_RECURSION_RATE", "off, or N/seconds with N from 2 to 1,000", RateSetting(defaults.recursion_rate), parse_rate)
                .0,
            disabled: values.problems("TRIAGE_DISABLE"),
        };
        let probe = values.choice("TRIAGE_PROBE", &[("on", true), ("off", false)], true);
        let flush = values.choice(
            "TRIAGE_FLUSH",
            &[
                ("adaptive", FlushMode::Adaptive),
                ("lazy", FlushMode::Lazy),
                ("end", FlushMode::End),
            ],
            FlushMode::Adaptive,
        );
        use tracing::level_filters::LevelFilter;
        let log = values.choice(
            "TRIAGE_LOG",
            &[
                ("off", LevelFilter::OFF),
                ("error", LevelFilter::ERROR),
                ("warn", LevelFilter::WARN),
                ("info", LevelFilter::INFO),
                ("debug", LevelFilter::DEBUG),
                ("trace", LevelFilter::TRACE),
            ],
            LevelFilter::WARN,
        );
        let initialization_type = values.platform("AWS_LAMBDA_INITIALIZATION_TYPE");
        let is_type =
            |name| initialization_type.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case(name));
        let function = FunctionIdentity {
            name: values.platform("AWS_LAMBDA_FUNCTION_NAME"),
            version: values.platform("AWS_LAMBDA_FUNCTION_VERSION"),
            memory_size_mb: memory_size_mb(values.platform("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")),
            managed_instances: is_type("lambda-managed-instances"),
            snap_start: is_type("snap-start"),
        };
        let runtime_api = values.platform("AWS_LAMBDA_RUNTIME_API");
        let config =
            Self { runtime_api, function, settings, signatures, metrics, probe, flush, log };
        (config, values.into_warnings())
    }

    /// Lambda's own variables and the documented defaults: what is left where there is a bug in
    /// reading the rest.
    pub(crate) fn without_settings(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| lookup(name).and_then(|value| value.into_string().ok());
        Self {
            runtime_api: text("AWS_LAMBDA_RUNTIME_API"),
            function: FunctionIdentity {
                name: text("AWS_LAMBDA_FUNCTION_NAME"),
                version: text("AWS_LAMBDA_FUNCTION_VERSION"),
                memory_size_mb: memory_size_mb(text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")),
                // Known by the registration too.
                managed_instances: false,
                snap_start: false,
            },
            settings: Settings::default(),
            signatures: None,
            metrics: MetricsMode::Embedded,
            probe: true,
            flush: FlushMode::default(),
            log: tracing::level_filters::LevelFilter::WARN,
        }
    }
}

fn metrics_mode(values: &mut value::Values<'_>) -> MetricsMode {
    const NAME: &str = "TRIAGE_METRICS";
    let words = [
        ("emf", MetricsWord::Emf),
        ("off", MetricsWord::Off),
        ("cloudwatch", MetricsWord::CloudWatch),
    ];
    match values.choice(NAME, &words, MetricsWord::Emf) {
        MetricsWord::Emf => MetricsMode::Embedded,
        MetricsWord::Off => MetricsMode::Off,
        #[cfg(feature = "cloudwatch")]
        MetricsWord::CloudWatch => match ApiAccess::from_lookup(|name| values.platform(name)) {
            Ok(access) => MetricsMode::Sent(access),
            Err(e) => {
                values.warn(NAME, &format!("asks for CloudWatch's API, but {e}"), "emf");
                MetricsMode::Embedded
            }
        },
        #[cfg(not(feature = "cloudwatch"))]
        MetricsWord::CloudWatch => {
            values.warn(NAME, "asks for CloudWatch's API, which this build leaves out", "emf");
            MetricsMode::Embedded
        }
    }
}

/// `off` is a value of its own, not the lack of one.
struct RateSetting(Option<InvocationRate>);

impl std::fmt::Display for RateSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("off"),
            Some(rate) => write!(f, "{}/{}", rate.invocations, rate.seconds),
        }
    }
}

fn parse_rate(text: &str) -> Option<RateSetting> {
    if text.eq_ignore_ascii_case("off") {
        return Some(RateSetting(None));
    }
    Some(RateSetting(Some(text.parse().ok()?)))
}

/// CloudWatch's own rules for a namespace: its characters and length, `[^:].*`, and `AWS/` kept
/// for AWS services.
fn is_namespace(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/#: ".contains(&b))
        && !text.starts_with(':')
        && !text.starts_with("AWS/")
}

#[cfg(test)]
mod tests;
