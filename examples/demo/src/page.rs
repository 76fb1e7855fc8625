//! What the demonstration shows, in colour where the terminal takes it.

use anstream::println;
use anstyle::{AnsiColor, Style};
use demo::{Alarming, CALLEE, CALLER, Call, Diagnosis, Played, Trace, handed_on};
use lambda_sandbox::{AlarmState, InvocationOutcome, MetricStore};
use serde_json::Value;
use std::path::Path;

const WIDTH: usize = 96;
const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const LABEL: Style = AnsiColor::BrightBlack.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn opening(extension: &Path) {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = extension.strip_prefix(here).unwrap_or(extension);
    println!("{HEADING}Lambda Triage at work{HEADING:#}");
    wrapped(&format!(
        "A local Lambda on loopback runs a real function, with the extension {} attached, makes \
         things go wrong, and shows what its log group then holds.",
        shown.display()
    ));
}

pub(crate) fn heading(number: usize, of: usize, title: &str, story: &str) {
    ruled(&format!("{number}/{of}  {title}"));
    wrapped(story);
}

fn ruled(title: &str) {
    let rule = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 1));
    println!("\n{HEADING}{title}{HEADING:#} {LABEL}{rule}{LABEL:#}");
}

pub(crate) fn invocation(call: &Call, outcome: &InvocationOutcome) {
    println!(
        "  {LABEL}invoke{LABEL:#} {}  {LABEL}→ {} after {:.0} ms, request {}{LABEL:#}",
        call.event,
        outcome.status.as_str(),
        outcome.duration_ms,
        outcome.request_id,
    );
    if call.trace != Trace::Fresh {
        println!("    {LABEL}hands on{LABEL:#} {}", handed_on(outcome).unwrap_or_default());
    }
}

pub(crate) fn silence() {
    println!("\n  {GOOD}✓ nothing printed{GOOD:#}");
}

/// The environment had to be thawed for the lines to come.
pub(crate) fn thawed(invocations: u32) {
    if invocations > 0 {
        println!(
            "  {LABEL}(frozen before the telemetry reached the extension; thawed by another \
             invocation){LABEL:#}"
        );
    }
}

/// A diagnosis, first to read, then as the log holds it.
pub(crate) fn diagnosis(diagnosis: &Diagnosis) {
    let level = diagnosis.json["level"].as_str().unwrap_or_default();
    let colour = if level == "ERROR" { BAD } else { WARNING };
    let message = diagnosis.json["message"].as_str().unwrap_or_default();
    println!("\n  {colour}{level} {message}{colour:#}");
    let cause = diagnosis.text("cause");
    let problem = match cause {
        "" => diagnosis.text("problem").to_owned(),
        cause => format!("{}, cause {cause}", diagnosis.text("problem")),
    };
    let seen = format!("{}, view {}", diagnosis.text("stage"), diagnosis.text("view"));
    labelled("problem", &format!("{problem} ({seen})"));
    labelled("request", diagnosis.request_id());
    labelled("advice", diagnosis.text("advice"));
    labelled("see", diagnosis.text("reference"));
    if let Value::Object(evidence) = &diagnosis.json["diagnosis"]["evidence"] {
        let mut label = "evidence";
        for (name, value) in evidence {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            labelled(label, &format!("{name} {value}"));
            label = "";
        }
    }
    println!("  {DIM}{}{DIM:#}", diagnosis.line);
}

fn labelled(label: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let mut label = format!("{label:<9}");
    for line in textwrap::wrap(text, options(WIDTH - 13)) {
        println!("    {LABEL}{label}{LABEL:#}{line}");
        label = " ".repeat(9);
    }
}

fn wrapped(text: &str) {
    for line in textwrap::wrap(text, options(WIDTH)) {
        println!("{line}");
    }
}

/// ARNs and other long words stay whole.
fn options(width: usize) -> textwrap::Options<'static> {
    textwrap::Options::new(width)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false)
}

/// Every metric with the number of its values, their sum and the largest.
pub(crate) fn metrics(store: &MetricStore) {
    ruled("The metrics that CloudWatch extracts from these lines");
    println!(
        "{LABEL}{:<15}{:<24}{:<20}{:>8}{:>6}{:>6}{LABEL:#}",
        "namespace", "dimensions", "metric", "samples", "sum", "max"
    );
    for (key, points) in store.iter() {
        let dimensions: Vec<_> =
            key.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let dimensions =
            if dimensions.is_empty() { "–".to_owned() } else { dimensions.join(", ") };
        let values = || points.iter().map(|point| point.value);
        println!(
            "{:<15}{:<24}{:<20}{:>8}{:>6}{:>6}",
            key.namespace,
            dimensions,
            key.name,
            points.len(),
            values().sum::<f64>(),
            values().fold(f64::NEG_INFINITY, f64::max),
        );
    }
}

/// Which alarms fire, when, and whom they tell; and which are quiet.
pub(crate) fn alarms(all: &[Alarming]) {
    ruled("The alarms of deploy/sam/template.yaml");
    wrapped(
        "CloudWatch evaluates an alarm each minute. Over the metrics above, those on each function and on \
         all functions together would do this within half an hour:",
    );
    println!("{LABEL}{:<40}{:<26}tells{LABEL:#}", "alarm", "fires");
    let mut quiet = Vec::new();
    for alarming in all {
        let fired = alarming.fired();
        for change in alarming.history.iter().filter(|change| change.state == AlarmState::Alarm) {
            let after = change.at.duration_since(alarming.began).unwrap_or_default();
            let told: Vec<_> = alarming
                .alarms
                .actions(&change.alarm)
                .iter()
                .map(|arn| arn.rsplit(':').next().unwrap_or_default())
                .collect();
            println!(
                "{BAD}{:<40}{BAD:#}{:<26}{}",
                change.alarm,
                format!("{} s after the first line", after.as_secs()),
                told.join(", ")
            );
        }
        quiet.push(alarming.alarms.names().filter(|name| !fired.contains(name)).count());
    }
    let quiet: usize = quiet.iter().sum();
    println!("{LABEL}{quiet} are quiet.{LABEL:#}");
}

/// What happened around a function that never started.
pub(crate) fn outside(played: &Played) {
    println!("  {LABEL}{CALLER} waits for {CALLEE}: request {}{LABEL:#}", played.call);
    for line in &played.caller {
        diagnosis(line);
    }
    let Some(first) = played.attempts.first() else { return };
    let id = &first.request_id;
    println!("\n  {LABEL}{CALLER} does not wait: queued as request {id}{LABEL:#}");
    let of_event = played.attempts.iter().filter(|attempt| attempt.function == CALLEE);
    let attempts: Vec<_> = of_event.collect();
    for attempt in attempts.iter().take(3) {
        let after = attempt.at.duration_since(first.at).unwrap_or_default().as_secs();
        let how = attempt.error_type.unwrap_or("it ran");
        println!("    {LABEL}{after:>5} s later{LABEL:#} {how}");
    }
    if let Some(last) = attempts.get(3..).and_then(<[_]>::last) {
        let after = last.at.duration_since(first.at).unwrap_or_default().as_secs();
        println!(
            "    {LABEL}{after:>5} s later{LABEL:#} the same, for the {}th time",
            attempts.len()
        );
    }
    for message in &played.messages {
        println!("  {LABEL}Lambda tells the queue of failures{LABEL:#}");
        println!("  {DIM}{}{DIM:#}", String::from_utf8_lossy(&message.body));
    }
    for line in &played.outside {
        diagnosis(line);
    }
}

pub(crate) fn verdict(differences: &[String]) {
    if differences.is_empty() {
        println!(
            "\n{GOOD}✓ every diagnosis came, once, and nothing else did; and so it was with the alarms{GOOD:#}"
        );
        return;
    }
    println!("\n{BAD}This is not what should have come:{BAD:#}");
    for difference in differences {
        println!("  {BAD}✗{BAD:#} {difference}");
    }
}
