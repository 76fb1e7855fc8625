//! The saved queries against the output contract: a query that names a field that no line has finds
//! nothing, and nobody is told.

use crate::{TEMPLATES, in_deploy, stack};
use std::collections::BTreeSet;
use triage_deploy::placeholder::FUNCTION;
use triage_deploy::{POLICIES, QUERIES};

/// The fields that CloudWatch Logs Insights has for each log event.
const OF_INSIGHTS: [&str; 6] =
    ["@timestamp", "@message", "@log", "@logStream", "@ingestionTime", "@requestId"];
const COMMANDS: [&str; 7] = ["fields", "filter", "stats", "sort", "limit", "display", "dedup"];
const WORDS: [&str; 9] = ["and", "or", "not", "in", "like", "as", "by", "asc", "desc"];
const FUNCTIONS: [&str; 10] = [
    "ispresent",
    "toMillis",
    "now",
    "sum",
    "max",
    "min",
    "count",
    "latest",
    "earliest",
    "coalesce",
];

/// The fields that the extension's lines have.
fn fields() -> BTreeSet<String> {
    let list = std::fs::read_to_string(in_deploy("../extension/FIELDS.md")).unwrap();
    let fields = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    fields.map(str::to_owned).collect()
}

/// The causes that the manual explains.
fn causes() -> BTreeSet<String> {
    let manual = std::fs::read_to_string(in_deploy("../extension/DETECTORS.md")).unwrap();
    let causes = manual.lines().filter_map(|line| line.strip_prefix("- `")?.split("`:").next());
    causes.map(str::to_owned).collect()
}

/// The query without its texts and regexes, and these.
fn without_literals(query: &str) -> (String, Vec<String>) {
    let (mut rest, mut literals) = (String::new(), Vec::new());
    let mut parts = query.split(['"', '/', '\'']);
    while let Some(part) = parts.next() {
        rest.push_str(part);
        rest.push(' ');
        literals.extend(parts.next().map(str::to_owned));
    }
    (rest, literals)
}

fn names(query: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.@".contains(c);
    let words =
        query.split(|c| !is_part(c)).filter(|word| word.starts_with(|c: char| !c.is_ascii_digit()));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What is wrong with a query, a sentence each.
fn problems(query: &str) -> Vec<String> {
    let fields = fields();
    let (text, literals) = without_literals(query);
    let mut found = Vec::new();
    for command in text.split('|') {
        let first = command.split_whitespace().next().unwrap_or_default();
        if !COMMANDS.contains(&first) {
            found.push(format!("there is no command {first:?}"));
        }
    }
    let names = names(&text);
    let aliases: BTreeSet<&str> =
        names.windows(2).filter(|pair| pair[0] == "as").map(|pair| pair[1].as_str()).collect();
    for name in &names {
        let name = name.as_str();
        let is_known = [&COMMANDS[..], &WORDS, &FUNCTIONS, &OF_INSIGHTS]
            .iter()
            .any(|list| list.contains(&name));
        if !is_known && !aliases.contains(name) && !fields.contains(name) {
            found.push(format!("no line has the field {name}"));
        }
        if POLICIES.iter().any(|policy| policy.metric == name) {
            found.push(format!("{name} is a list where a line stands for several"));
        }
        if aliases.contains(name) && fields.contains(name) {
            found.push(format!("the alias {name} hides a field"));
        }
    }
    let known = triage_diagnosis::problems().chain(["imminent", FUNCTION]);
    let known: Vec<_> = known.map(str::to_owned).chain(causes()).collect();
    for literal in literals {
        // A regex of a family's beginnings, ^(efs|s3-files)-, or a name.
        let beginnings = literal.trim_start_matches('^').replace(['(', ')'], "");
        let (beginnings, end) = match beginnings.strip_suffix('-') {
            Some(beginnings) => (beginnings, "-"),
            None => (beginnings.as_str(), ""),
        };
        for beginning in beginnings.split('|') {
            let beginning = format!("{beginning}{end}");
            let is_met = |name: &String| {
                *name == beginning || (!end.is_empty() && name.starts_with(&beginning))
            };
            if !known.iter().any(is_met) {
                found.push(format!("there is no problem {beginning}"));
            }
        }
    }
    found
}

#[test]
fn each_query_names_fields_and_problems_that_there_are() {
    for query in QUERIES {
        assert_eq!(problems(query.text), Vec::<String>::new(), "{}", query.name);
    }
}

#[test]
fn a_wrong_query_is_noticed() {
    for query in [
        "filter diagnosis.problems = \"timeout\"",
        "filter problem = \"timeout\"",
        "filter diagnosis.problem = \"time-out\"",
        "filter diagnosis.problem like /^kmss-/",
        "fields diagnosis.evidence.keyARN as key",
        "fields diagnosis.evidence.keyArn as level",
        "where level = 1",
        "stats max(RecursionDepth) by level",
        "stats total(Timeouts) by level",
    ] {
        assert!(!problems(query).is_empty(), "{query}");
    }
}

#[test]
fn the_templates_save_each_query_for_the_functions_log_group_and_the_watchers() {
    const WATCHER: (&str, &str) = ("WatcherLogGroup", "/aws/lambda/watcher");
    let none: &[(&str, &str)] = &[];
    for (template, with) in TEMPLATES.into_iter().flat_map(|t| [(t, none), (t, &[WATCHER])]) {
        let saved = stack(template, with).resources("AWS::Logs::QueryDefinition").unwrap();
        let groups: Vec<_> = ["/aws/lambda/orders"]
            .into_iter()
            .chain(with.iter().map(|(_, group)| *group))
            .collect();
        assert_eq!(saved.len(), QUERIES.len());
        for query in QUERIES {
            let (_, properties) = saved.iter().find(|(id, _)| id == query.id).unwrap();
            assert_eq!(properties["Name"], format!("Lambda Triage/orders/{}", query.name));
            let text = query.text.replace(FUNCTION, "orders");
            assert_eq!(properties["QueryString"].as_str().unwrap().trim_end(), text);
            assert_eq!(properties["LogGroupNames"], serde_json::json!(groups));
        }
    }
}

/// The failure watcher's log group holds the lines of all functions.
#[test]
fn each_query_asks_for_the_functions_own_lines() {
    for query in QUERIES {
        let filter = query
            .text
            .lines()
            .find_map(|line| line.strip_prefix("| ").unwrap_or(line).strip_prefix("filter "));
        let own = format!("FunctionName = \"{FUNCTION}\" and ");
        assert!(filter.is_some_and(|filter| filter.starts_with(&own)), "{}", query.name);
        assert!(!query.text.contains(" or "), "{}: it may let others in", query.name);
    }
}
