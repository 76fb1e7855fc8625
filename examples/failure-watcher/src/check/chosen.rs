//! Whose states are looked at: by list, by tag, and never of those whose tag says no.

use super::access::{Api, CallError};
use super::skipped::Skipped;
use crate::settings::FunctionChoice;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use tokio::time::Instant;
use triage_diagnosis::failed_requests::ListedName;

/// `tag:GetResources`
const ACTION: &str = "tag:GetResources";

/// The functions that were chosen, by name or ARN, each once. Where tags may not be read, or are not in
/// time, those of the list are left.
pub(super) async fn functions(
    api: &Api,
    choice: &FunctionChoice,
    by: Instant,
    skipped: &mut Skipped,
) -> Vec<String> {
    let tagged = asked(api, choice, by, skipped).await;
    let mut chosen = without_no(&choice.names, &tagged);
    let wanted = choice.tag.as_ref().and_then(|(_, value)| value.as_ref());
    for (arn, found) in tagged {
        let is_wanted = !says_no(&found) && wanted.is_none_or(|value| *value == found);
        if is_wanted && !chosen.iter().any(|listed| is_same_function(listed, &arn)) {
            chosen.push(arn);
        }
    }
    chosen
}

/// Those of these names whose tag does not say no, each once.
pub(super) async fn among(
    api: &Api,
    names: &[String],
    choice: &FunctionChoice,
    by: Instant,
    skipped: &mut Skipped,
) -> Vec<String> {
    without_no(names, &asked(api, choice, by, skipped).await)
}

fn without_no(names: &[String], tagged: &[(String, String)]) -> Vec<String> {
    let mut left = each_once(names);
    for (arn, _) in tagged.iter().filter(|(_, value)| says_no(value)) {
        left.retain(|listed| !is_same_function(listed, arn));
    }
    left
}

fn is_same_function(listed: &str, arn: &str) -> bool {
    ListedName::of(listed).is_same_function(&ListedName::of(arn))
}

/// Which functions have the tag of the settings, with its values; none if there is no tag, or no answer.
async fn asked(
    api: &Api,
    choice: &FunctionChoice,
    by: Instant,
    skipped: &mut Skipped,
) -> Vec<(String, String)> {
    let Some((key, _)) = &choice.tag else { return Vec::new() };
    let tagged = async {
        let tagged = tokio::time::timeout_at(by, tagged(api, key)).await;
        tagged.unwrap_or(Err(CallError::Unanswered(ACTION)))
    };
    skipped.ask(ACTION, "", tagged).await.unwrap_or_default()
}

/// The ARNs of the functions that have this tag, with its values.
async fn tagged(api: &Api, key: &str) -> Result<Vec<(String, String)>, CallError> {
    let request = api.tagging.get_resources().resource_type_filters("lambda:function");
    let request = request.tag_filters(TagFilter::builder().key(key).build());
    let mut pages = request.into_paginator().send();
    let mut tagged = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CallError::of(ACTION, &error))?;
        for resource in page.resource_tag_mapping_list() {
            let Some(arn) = resource.resource_arn() else { continue };
            let tag = resource.tags().iter().find(|tag| tag.key() == key);
            tagged.push((arn.to_owned(), tag.map_or("", |tag| tag.value()).to_owned()));
        }
    }
    Ok(tagged)
}

/// Whether the value of a tag says that this function is to be left alone.
#[must_use]
pub fn says_no(value: &str) -> bool {
    const NO: [&str; 6] = ["no", "off", "false", "0", "never", "none"];
    NO.iter().any(|no| value.trim().eq_ignore_ascii_case(no))
}

/// A list without what it names more than once, in whatever forms.
pub(super) fn each_once(names: &[String]) -> Vec<String> {
    let mut known: Vec<ListedName> = Vec::new();
    let mut once = names.to_vec();
    once.retain(|name| {
        let listed = ListedName::of(name);
        let is_new = !known.iter().any(|known| known.is_same(&listed));
        known.extend(is_new.then_some(listed));
        is_new
    });
    once
}
