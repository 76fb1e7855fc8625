//! The Telemetry API's subscription, 2022-07-01.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Uri};
use serde_json::{Value, json};

use crate::config::SubscriptionAnswer;
use crate::extensions_api::{identifier, json_body};
use crate::server::{Reply, error_reply, reply};
use crate::shared::Shared;
use crate::subscriber::{Destination, Subscription};
use crate::telemetry::Kind;

/// The one version that Managed Instances take.
const MANAGED_SCHEMA_VERSION: &str = "2025-01-29";

pub(crate) async fn subscribe(shared: &Shared, request: Request<Incoming>) -> Reply {
    let identifier = match identifier(shared, &request) {
        Ok(identifier) => identifier,
        Err(refusal) => return refusal.into_reply(),
    };
    match shared.config.telemetry.answer {
        SubscriptionAnswer::Accepted => {}
        SubscriptionAnswer::NotSupported => {
            return error_reply(202, "Telemetry.NotSupported", "Telemetry API is not supported");
        }
        SubscriptionAnswer::Refused(status) => {
            return error_reply(status, "Telemetry.Refused", "Refused by the sandbox's settings");
        }
        SubscriptionAnswer::AcceptedAndSilent => return reply(200, ""),
    }
    let Some(body) = json_body(request).await else {
        return invalid("The body is not JSON");
    };
    let (extension, group) = {
        let mut environment = shared.environment();
        if !environment.initializing {
            let message = "Subscriptions are taken during init";
            return error_reply(403, "Telemetry.SubscriptionClosed", message);
        }
        let extension = environment.extension_by_identifier(&identifier);
        extension.map(|extension| (extension.name.clone(), extension.group)).unwrap_or_default()
    };
    let subscription = match parse(shared, extension, &body) {
        Ok(subscription) => {
            let pid = Some(group).filter(|group| *group != 0).map(i32::cast_unsigned);
            Subscription { pid, ..subscription }
        }
        Err(message) => return invalid(&message),
    };
    let name = subscription.extension.clone();
    shared.telemetry.subscribe(subscription);
    shared.telemetry.platform(
        "platform.telemetrySubscription",
        &json!({"name": name, "state": "Subscribed", "types": body["types"]}),
    );
    reply(200, "OK")
}

fn invalid(message: &str) -> Reply {
    error_reply(400, "ValidationError", message)
}

fn parse(shared: &Shared, extension: String, body: &Value) -> Result<Subscription, String> {
    let version = body["schemaVersion"].as_str().ok_or("schemaVersion is missing")?;
    let known = shared.config.telemetry.schema_versions.iter().any(|known| known == version);
    if !known || shared.is_managed() && version != MANAGED_SCHEMA_VERSION {
        return Err(format!("schemaVersion {version} is not supported"));
    }
    let kinds = body["types"]
        .as_array()
        .filter(|types| !types.is_empty())
        .and_then(|types| types.iter().map(|kind| Kind::parse(kind.as_str()?)).collect())
        .ok_or("types is not a list of platform, function and extension")?;
    let bound = |name: &str, default: u64, least: u64, most: u64| {
        let value = match body["buffering"].get(name) {
            None => default,
            Some(value) => value.as_u64().ok_or(format!("buffering.{name} is not a number"))?,
        };
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(format!("buffering.{name} is not within {least} and {most}"))
        }
    };
    let timeout_ms = bound("timeoutMs", 1_000, 25, 30_000)?;
    // Fits: at most 1,048,576.
    let max_bytes = bound("maxBytes", 262_144, 262_144, 1_048_576)? as usize;
    let max_items = bound("maxItems", 10_000, 1_000, 10_000)? as usize;
    Ok(Subscription {
        extension,
        pid: None,
        kinds,
        max_items,
        max_bytes,
        timeout: Duration::from_millis(timeout_ms),
        destination: destination(&body["destination"])?,
    })
}

fn destination(destination: &Value) -> Result<Destination, String> {
    match destination["protocol"].as_str() {
        Some("HTTP") => {
            let uri: Uri = destination["URI"]
                .as_str()
                .and_then(|uri| uri.parse().ok())
                .ok_or("destination.URI is not a URI")?;
            if uri.scheme_str() != Some("http") {
                return Err("destination.URI is not http".into());
            }
            if !matches!(uri.host(), Some("sandbox" | "sandbox.localdomain")) {
                return Err("destination.URI names another host than sandbox.localdomain".into());
            }
            let port = uri.port_u16().unwrap_or(80);
            let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            Ok(Destination::Http { port, path })
        }
        Some("TCP") => destination["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .map(|port| Destination::Tcp { port })
            .ok_or("destination.port is not a port".into()),
        _ => Err("destination.protocol is neither HTTP nor TCP".into()),
    }
}
