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
    assert_eq!(config.metrics, MetricsMode::Embedded);
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
        ("TRIAGE_SIGNATURES", "/opt/signatures.toml"),
        ("TRIAGE_DISABLE", "timeout, recursion, custom:payment-declined"),
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
                memory_size_mb: None,
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
                disabled: vec![
                    "timeout".to_owned(),
                    "recursion".to_owned(),
                    "custom:payment-declined".to_owned(),
                ],
            },
            signatures: Some("/opt/signatures.toml".into()),
            metrics: MetricsMode::Off,
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
            "TRIAGE_SIGNATURES",
            "signatures.toml",
            "TRIAGE_SIGNATURES is not the path of a file, from / to .toml (it holds 15 characters, not a number); using none",
        ),
        (
            "TRIAGE_SIGNATURES",
            "/hunter2",
            "TRIAGE_SIGNATURES is not the path of a file, from / to .toml (it holds 8 characters, not a number); using none",
        ),
        (
            "TRIAGE_DISABLE",
            "custom:a_b",
            "TRIAGE_DISABLE holds 1 name of no problem there is; using the other 0",
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

#[cfg(feature = "cloudwatch")]
#[test]
fn the_api_is_called_where_lambdas_variables_say_how() {
    const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "hunter2"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    let asked = [("TRIAGE_METRICS", "CloudWatch")];
    let (config, warnings) = read(&[&asked[..], &[REGION], &KEYS].concat());
    assert!(matches!(config.metrics, MetricsMode::Sent(_)));
    assert_eq!(warnings, Vec::<String>::new());
    for (variables, what) in [
        (&KEYS[..], "AWS_REGION names no region"),
        (&[REGION], "there are no credentials in the environment"),
        (&[REGION, KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", "hunter2")], "AWS_ENDPOINT_URL"),
    ] {
        let (config, warnings) = read(&[&asked[..], variables].concat());
        assert_eq!(config, default_config());
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.starts_with("TRIAGE_METRICS asks for CloudWatch's API, but "), "{warning}");
        assert!(warning.contains(what) && warning.ends_with("; using emf"), "{warning}");
        assert!(!warning.contains("hunter2"), "{warning}");
    }
}

#[cfg(not(feature = "cloudwatch"))]
#[test]
fn what_a_lean_build_leaves_out_is_said_once_and_done_without() {
    let (config, warnings) = read(&[("TRIAGE_METRICS", "cloudwatch")]);
    assert_eq!(
        warnings,
        ["TRIAGE_METRICS asks for CloudWatch's API, which this build leaves out; using emf"]
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
