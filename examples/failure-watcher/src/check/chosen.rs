//! Whose states are looked at: by list, by tag, and never of those whose tag says no.

use super::Skipped;
use super::access::{Api, CallError};
use crate::function_name::ListedName;
use crate::settings::FunctionChoice;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use tokio::time::Instant;

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
    let mut chosen = each_once(&choice.names);
    if let Some((key, value)) = &choice.tag {
        let tagged = tokio::time::timeout_at(by, tagged(api, key)).await;
        let tagged = tagged.unwrap_or(Err(CallError::Unanswered(ACTION)));
        for (arn, found) in skipped.noted(tagged).unwrap_or_default() {
            let tagged = ListedName::of(&arn);
            let is_listed = |listed: &String| ListedName::of(listed).is_same_function(&tagged);
            if says_no(&found) {
                chosen.retain(|listed| !is_listed(listed));
            } else if value.as_ref().is_none_or(|value| *value == found)
                && !chosen.iter().any(is_listed)
            {
                chosen.push(arn);
            }
        }
    }
    chosen
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
