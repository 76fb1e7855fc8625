//! The environment, read once.
//!
//! Nothing in it can stop the extension: a value that makes no sense costs one warning, which
//! names the variable, what kind of value it holds (never the value, which may be a secret that
//! was put into the wrong place) and what is taken instead.

mod value;

use crate::flush::FlushMode;
use std::ffi::OsString;
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
    /// Whether the metrics are embedded in the lines: `TRIAGE_METRICS` is not `off`.
    pub(crate) emf: bool,
    /// Whether /proc may be read: `TRIAGE_PROBE`.
    pub(crate) probe: bool,
    /// When /next is asked for: `TRIAGE_FLUSH`.
    pub(crate) flush: FlushMode,
    /// From which level on the extension logs: `TRIAGE_LOG`.
    pub(crate) log: tracing::level_filters::LevelFilter,
}

/// What Lambda's own variables say about the function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FunctionIdentity {
    /// `AWS_LAMBDA_FUNCTION_NAME`
    pub(crate) name: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_VERSION`
    pub(crate) version: Option<String>,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE` is `lambda-managed-instances`: INVOKE cannot be
    /// registered for, several invocations run at once.
    pub(crate) managed_instances: bool,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE` is `snap-start`: this process is copied to other machines
    /// while it waits for the first event.
    pub(crate) snap_start: bool,
}

impl Config {
    /// Reads the variables through `lookup`, which gives a variable's value or None if it is not
    /// set. Cannot fail: what makes no sense is in the warnings.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> (Self, Vec<Warning>) {
        fault_point!("config");
        let mut values = value::Values::new(&lookup);
        let defaults = Settings::default();

        let emf = values.choice(
            "TRIAGE_METRICS",
            &[("emf", Some(true)), ("off", Some(false)), ("cloudwatch", None)],
            Some(true),
        );
        let emf = emf.unwrap_or_else(|| {
            values.warn(
                "TRIAGE_METRICS",
                "asks for the CloudWatch API, which this version does not call",
                "emf",
            );
            true
        });
        if values.text("TRIAGE_SIGNATURES").is_some() {
            values.warn(
                "TRIAGE_SIGNATURES",
                "names a file, which this version does not read",
                "none",
            );
        }
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
            managed_instances: is_type("lambda-managed-instances"),
            snap_start: is_type("snap-start"),
        };
        let runtime_api = values.platform("AWS_LAMBDA_RUNTIME_API");
        let config = Self { runtime_api, function, settings, emf, probe, flush, log };
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
                // Known by the registration too.
                managed_instances: false,
                snap_start: false,
            },
            settings: Settings::default(),
            emf: true,
            probe: true,
            flush: FlushMode::default(),
            log: tracing::level_filters::LevelFilter::WARN,
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
    let (invocations, seconds) = text.split_once('/')?;
    let invocations = invocations.trim().parse().ok();
    let invocations = invocations.filter(|n| (2..=InvocationRate::MAX_INVOCATIONS).contains(n))?;
    let seconds = seconds.trim().parse().ok().filter(|n| *n >= 1)?;
    Some(RateSetting(Some(InvocationRate { invocations, seconds })))
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStringExt;
    use tracing::level_filters::LevelFilter;

    fn read(variables: &[(&str, &str)]) -> (Config, Vec<String>) {
        let (config, warnings) = Config::from_lookup(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        });
        (config, warnings.iter().map(ToString::to_string).collect())
    }

    fn default_config() -> Config {
        read(&[]).0
    }

    #[test]
    fn nothing_set_is_the_documented_default_without_a_word() {
        let (config, warnings) = read(&[]);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(config.settings, Settings::default());
        assert!(config.emf);
        assert!(config.probe);
        assert_eq!(config.flush, FlushMode::Adaptive);
        assert_eq!(config.log, LevelFilter::WARN);
        assert_eq!(config.runtime_api, None);
        assert_eq!(config.function, FunctionIdentity::default());
    }

    #[test]
    fn without_settings_it_is_what_is_read_where_none_are_set() {
        let lookup = |name: &str| {
            let platform = [
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
                ("AWS_LAMBDA_FUNCTION_NAME", "orders"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
            ];
            platform.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        assert_eq!(Config::without_settings(lookup), Config::from_lookup(lookup).0);
    }

    #[test]
    fn every_variable_is_read() {
        let (config, warnings) = read(&[
            ("TRIAGE_METRICS", "off"),
            ("TRIAGE_NAMESPACE", "Shop/Orders #1"),
            ("TRIAGE_NEAR_TIMEOUT_PERCENT", "0"),
            ("TRIAGE_RECURSION_DEPTH", "7"),
            ("TRIAGE_RECURSION_RATE", "100/60"),
            ("TRIAGE_PROBE", "OFF"),
            ("TRIAGE_DISABLE", "timeout, recursion"),
            ("TRIAGE_FLUSH", " End "),
            ("TRIAGE_LOG", "debug"),
            ("AWS_LAMBDA_FUNCTION_NAME", "orders"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ]);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(
            config,
            Config {
                runtime_api: Some("127.0.0.1:9001".to_owned()),
                function: FunctionIdentity {
                    name: Some("orders".to_owned()),
                    version: Some("$LATEST".to_owned()),
                    managed_instances: true,
                    snap_start: false,
                },
                settings: Settings {
                    namespace: "Shop/Orders #1".to_owned(),
                    near_timeout_percent: 0,
                    recursion_depth: 7,
                    recursion_rate: Some(InvocationRate { invocations: 100, seconds: 60 }),
                    disabled: vec!["timeout".to_owned(), "recursion".to_owned()],
                },
                emf: false,
                probe: false,
                flush: FlushMode::End,
                log: LevelFilter::DEBUG,
            }
        );
    }

    #[test]
    fn how_the_environment_is_brought_up_is_known_in_either_case_of_letters() {
        for (value, managed_instances, snap_start) in [
            ("on-demand", false, false),
            ("provisioned-concurrency", false, false),
            ("snap-start", false, true),
            ("Snap-Start", false, true),
            ("Lambda-Managed-Instances", true, false),
            ("anything", false, false),
        ] {
            let (config, warnings) = read(&[("AWS_LAMBDA_INITIALIZATION_TYPE", value)]);
            let known = (config.function.managed_instances, config.function.snap_start);
            assert_eq!(known, (managed_instances, snap_start), "{value}");
            assert_eq!(warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn a_bad_value_is_one_warning_that_shows_its_shape_and_the_default_is_taken() {
        for (name, value, warning) in [
            (
                "TRIAGE_METRICS",
                "statsd",
                "TRIAGE_METRICS is not one of emf, off, cloudwatch (it holds 6 letters); using emf",
            ),
            (
                "TRIAGE_NEAR_TIMEOUT_PERCENT",
                "hunter2",
                "TRIAGE_NEAR_TIMEOUT_PERCENT is not a whole number from 0 to 100 (it holds 7 characters, not a number); using 90",
            ),
            (
                "TRIAGE_NEAR_TIMEOUT_PERCENT",
                "101",
                "TRIAGE_NEAR_TIMEOUT_PERCENT is not a whole number from 0 to 100 (it holds a number of 3 digits); using 90",
            ),
            (
                "TRIAGE_RECURSION_DEPTH",
                "-3",
                "TRIAGE_RECURSION_DEPTH is not a whole number from 1 on (it holds 2 characters, not a number); using 4",
            ),
            (
                "TRIAGE_RECURSION_RATE",
                "5/0",
                "TRIAGE_RECURSION_RATE is not off, or N/seconds with N from 2 to 1,000 (it holds 3 characters, not a number); using off",
            ),
            (
                "TRIAGE_RECURSION_RATE",
                "5000/60",
                "TRIAGE_RECURSION_RATE is not off, or N/seconds with N from 2 to 1,000 (it holds 7 characters, not a number); using off",
            ),
            (
                "TRIAGE_PROBE",
                "perhaps",
                "TRIAGE_PROBE is not one of on, off (it holds 7 letters); using on",
            ),
            (
                "TRIAGE_DISABLE",
                "nonsense",
                "TRIAGE_DISABLE holds 1 name of no problem there is; using the other 0",
            ),
            (
                "TRIAGE_FLUSH",
                "s3cr3t",
                "TRIAGE_FLUSH is not one of adaptive, lazy, end (it holds 6 characters, not a number); using adaptive",
            ),
            (
                "TRIAGE_LOG",
                "7",
                "TRIAGE_LOG is not one of off, error, warn, info, debug, trace (it holds a number of 1 digit); using warn",
            ),
        ] {
            let (config, warnings) = read(&[(name, value)]);
            assert_eq!(warnings, [warning]);
            assert_eq!(config, default_config(), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_said_once_and_done_without() {
        let (config, warnings) =
            read(&[("TRIAGE_METRICS", "cloudwatch"), ("TRIAGE_SIGNATURES", "/opt/mine.toml")]);
        assert_eq!(
            warnings,
            [
                "TRIAGE_METRICS asks for the CloudWatch API, which this version does not call; using emf",
                "TRIAGE_SIGNATURES names a file, which this version does not read; using none",
            ]
        );
        assert_eq!(config, default_config());
    }

    #[test]
    fn the_good_names_of_a_list_count_although_others_are_wrong() {
        let (config, warnings) = read(&[("TRIAGE_DISABLE", "time-out,, Timeout ,p4ssword")]);
        assert_eq!(config.settings.disabled, ["timeout"]);
        assert_eq!(
            warnings,
            ["TRIAGE_DISABLE holds 2 names of no problem there is; using the other 1"]
        );
    }

    #[test]
    fn an_empty_value_is_as_good_as_none() {
        let empty: Vec<_> = VARIABLES.iter().map(|name| (*name, " ")).collect();
        assert_eq!(read(&empty), (default_config(), vec![]));
    }

    #[test]
    fn a_namespace_is_checked_as_cloudwatch_does() {
        for bad in ["AWS/Lambda", ":a", "a\nb", "ä", "a\"b", &"x".repeat(256)] {
            let (config, warnings) = read(&[("TRIAGE_NAMESPACE", bad)]);
            assert_eq!(config.settings.namespace, "LambdaTriage", "{bad}");
            assert_eq!(warnings.len(), 1, "{bad}");
        }
        let longest = "x".repeat(255);
        assert_eq!(read(&[("TRIAGE_NAMESPACE", &longest)]).0.settings.namespace, longest);
    }

    const VARIABLES: [&str; 10] = [
        "TRIAGE_METRICS",
        "TRIAGE_NAMESPACE",
        "TRIAGE_NEAR_TIMEOUT_PERCENT",
        "TRIAGE_RECURSION_DEPTH",
        "TRIAGE_RECURSION_RATE",
        "TRIAGE_PROBE",
        "TRIAGE_SIGNATURES",
        "TRIAGE_DISABLE",
        "TRIAGE_FLUSH",
        "TRIAGE_LOG",
    ];

    #[test]
    fn what_is_not_utf_8_is_a_warning_in_ours_and_nothing_in_lambdas() {
        let (config, warnings) =
            Config::from_lookup(|_| Some(OsString::from_vec(vec![b'e', 0xff, b'd'])));
        assert_eq!(config, default_config());
        assert_eq!(warnings.len(), VARIABLES.len());
        for (warning, name) in warnings.iter().zip(VARIABLES) {
            assert!(warnings.iter().any(|w| w.variable() == name), "{name}");
            assert!(warning.to_string().contains("not UTF-8"), "{warning}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics_is_quoted_or_warns_twice(
            name in prop::sample::select(&VARIABLES[..]),
            value in "[§€]{3}.{0,40}",
        ) {
            let (config, warnings) = read(&[(name, &value)]);
            prop_assert_eq!(warnings.len(), 1);
            prop_assert!(warnings[0].starts_with(name));
            prop_assert!(!warnings[0].contains(['§', '€']));
            prop_assert_eq!(config, default_config());
        }
    }
}
