use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::metrics::MetricStore;

const NOW_MS: u64 = 1_795_404_654_000;

fn document() -> Value {
    json!({
        "FunctionName": "orders", "Errors": 2, "Latency": [1.5, 2.5],
        "_aws": {"Timestamp": NOW_MS, "CloudWatchMetrics": [{
            "Namespace": "Shop", "Dimensions": [["FunctionName"], []],
            "Metrics": [{"Name": "Errors", "Unit": "Count"}, {"Name": "Latency", "Unit": "Milliseconds"}],
        }]},
    })
}

fn extract(text: &str) -> MetricStore {
    let mut store = MetricStore::default();
    store.extract(text, SystemTime::UNIX_EPOCH + Duration::from_millis(NOW_MS));
    store
}

#[test]
fn each_dimension_set_has_each_value() {
    let store = extract(&document().to_string());
    assert_eq!(store.rejected(), []);
    for dimensions in [&[("FunctionName", "orders")][..], &[]] {
        assert_eq!(store.sum("Shop", dimensions, "Errors"), 2.0);
        assert_eq!(store.count("Shop", dimensions, "Latency"), 2);
        assert_eq!(store.max("Shop", dimensions, "Latency"), Some(2.5));
    }
    assert_eq!(store.iter().count(), 4);
    let point = &store.datapoints("Shop", &[], "Errors")[0];
    assert_eq!(point.unit, "Count");
    assert_eq!(point.time, SystemTime::UNIX_EPOCH + Duration::from_millis(NOW_MS));
}

#[test]
fn what_is_not_emf_is_no_rejection() {
    for text in ["", "plain", "{}", r#"{"CloudWatchMetrics":[]}"#, r#"{"_aws":{}}"#] {
        assert!(extract(text).is_empty(), "{text}");
    }
}

#[test]
fn each_broken_rule_is_named() {
    let directive = "/_aws/CloudWatchMetrics/0";
    let many = |count: usize| (0..count).map(|n| format!("d{n}")).collect::<Vec<_>>();
    let cases: Vec<(&str, String, Value, &str)> = vec![
        ("no time", "/_aws".into(), json!({"CloudWatchMetrics": []}), "Timestamp is missing"),
        ("time in text", "/_aws/Timestamp".into(), json!("now"), "whole number"),
        ("fraction", "/_aws/Timestamp".into(), json!(1.5), "whole number"),
        ("seconds", "/_aws/Timestamp".into(), json!(NOW_MS / 1000), "14 days"),
        ("old", "/_aws/Timestamp".into(), json!(NOW_MS - 14 * 86_400_000 - 1), "14 days"),
        ("ahead", "/_aws/Timestamp".into(), json!(NOW_MS + 7_200_001), "2 hours"),
        ("directives", "/_aws/CloudWatchMetrics".into(), json!({}), "not an array"),
        ("namespace", format!("{directive}/Namespace"), json!(""), "Namespace"),
        ("no sets", format!("{directive}/Dimensions"), json!(null), "Dimensions"),
        ("flat set", format!("{directive}/Dimensions/0"), json!("FunctionName"), "not an array"),
        ("31 dimensions", format!("{directive}/Dimensions/0"), json!(many(31)), "31 dimensions"),
        ("absent dimension", format!("{directive}/Dimensions/0"), json!(["Nope"]), "Nope is not a"),
        ("dimension name", format!("{directive}/Dimensions/0"), json!([""]), "dimension name"),
        ("numeric dimension", "/FunctionName".into(), json!(7), "FunctionName is not a string"),
        ("blank dimension", "/FunctionName".into(), json!(" "), "blank"),
        ("unit", format!("{directive}/Metrics/0/Unit"), json!("Ms"), "unknown unit"),
        ("no name", format!("{directive}/Metrics/0"), json!({}), "Name"),
        ("metrics", format!("{directive}/Metrics"), json!(null), "Metrics is not"),
        ("101 metrics", format!("{directive}/Metrics"), json!(vec![json!({}); 101]), "101 metrics"),
        ("absent value", format!("{directive}/Metrics/0/Name"), json!("Nope"), "Nope is not a"),
        ("text value", "/Errors".into(), json!("2"), "neither"),
        ("mixed values", "/Errors".into(), json!([1, "2"]), "neither"),
        ("no value", "/Errors".into(), json!([]), "no value"),
        ("huge value", "/Errors".into(), json!(1e200), "2^360"),
        ("AWS's namespace", format!("{directive}/Namespace"), json!("AWS/Lambda"), "AWS/"),
        ("namespace", format!("{directive}/Namespace"), json!("Nä"), "A-Z a-z"),
        ("dimension value", "/FunctionName".into(), json!(":x"), "colon"),
        ("101 values", "/Errors".into(), json!(vec![1; 101]), "101 values"),
        (
            "resolution",
            format!("{directive}/Metrics/0"),
            json!({"Name": "Errors", "StorageResolution": 5}),
            "StorageResolution",
        ),
    ];
    for (name, pointer, value, reason) in cases {
        let mut document = document();
        *document.pointer_mut(&pointer).unwrap() = value;
        let store = extract(&document.to_string());
        assert_eq!(store.rejected().len(), 1, "{name}");
        let given = &store.rejected()[0].reason;
        assert!(given.contains(reason), "{name}: {given}");
        assert_eq!(store.count("Shop", &[], "Errors"), 0, "{name}");
    }
}

#[test]
fn limits_themselves_are_allowed() {
    let mut document = document();
    document["Errors"] = json!(vec![1; 100]);
    document["_aws"]["Timestamp"] = json!(NOW_MS - 14 * 86_400_000);
    assert_eq!(extract(&document.to_string()).sum("Shop", &[], "Errors"), 100.0);
    document["_aws"]["Timestamp"] = json!(NOW_MS + 7_200_000);
    assert_eq!(extract(&document.to_string()).sum("Shop", &[], "Errors"), 100.0);
}

#[test]
fn a_bad_metric_costs_only_itself() {
    let mut document = document();
    document["Errors"] = json!("two");
    let store = extract(&document.to_string());
    assert_eq!(store.sum("Shop", &[], "Latency"), 4.0);
    assert_eq!(store.rejected().len(), 1);
}

#[test]
fn text_around_the_document_rejects_it() {
    let store = extract(&format!("INFO {}", document()));
    assert!(store.rejected()[0].reason.contains("JSON"));
}

#[test]
fn a_line_above_one_megabyte_is_rejected() {
    let mut document = document();
    document["padding"] = json!("x".repeat(1 << 20));
    let store = extract(&document.to_string());
    assert!(store.rejected()[0].reason.contains("bytes"));
    assert!(store.rejected()[0].line.len() <= 4096);
}
