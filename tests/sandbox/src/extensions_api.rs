//! The Extensions API, 2020-01-01.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::environment::Failure;
use crate::outcome::Status;
use crate::server::{Reply, error_reply, header, json_reply, not_found};
use crate::shared::Shared;

const MAX_BODY_BYTES: usize = 64 << 10;

pub(crate) async fn handle(
    shared: &Arc<Shared>,
    method: &Method,
    path: &[&str],
    request: Request<Incoming>,
) -> Reply {
    match (method, path) {
        (&Method::POST, ["register"]) => register(shared, request).await,
        (&Method::GET, ["event", "next"]) => next(shared, &request).await,
        (&Method::POST, ["init", "error"]) => fail(shared, request, "Extension.InitError"),
        (&Method::POST, ["exit", "error"]) => fail(shared, request, "Extension.ExitError"),
        _ => not_found(),
    }
}

async fn register(shared: &Shared, request: Request<Incoming>) -> Reply {
    let Some(name) = header(&request, "lambda-extension-name").map(str::to_owned) else {
        return error_reply(
            403,
            "Extension.InvalidExtensionName",
            "Lambda-Extension-Name is missing",
        );
    };
    let account_id = header(&request, "lambda-extension-accept-feature")
        .is_some_and(|features| features.split(',').any(|feature| feature.trim() == "accountId"));
    let Some(body) = json_body(request).await else {
        return error_reply(400, "InvalidRequestFormat", "The body is not JSON");
    };
    let Some(events) = events_of(&body) else {
        return error_reply(400, "InvalidRequestFormat", "events is not an array of names");
    };
    if let Some(unknown) = events.iter().find(|event| !["INVOKE", "SHUTDOWN"].contains(event)) {
        return error_reply(403, "Extension.InvalidEventType", &format!("Unknown event {unknown}"));
    }
    let wants = |event: &str| events.contains(&event);
    if wants("INVOKE") && shared.is_managed() {
        let message = "INVOKE cannot be registered for on Lambda Managed Instances";
        return error_reply(403, "Extension.InvalidEventType", message);
    }
    let identifier = uuid::Uuid::new_v4().to_string();
    let refused = shared.change(|environment| {
        if !environment.initializing {
            return Some(("Extension.RegistrationClosed", "Extensions register during init"));
        }
        let Some(extension) = environment.extensions.iter_mut().find(|e| e.name == name) else {
            return Some(("Extension.InvalidExtensionName", "No extension has this file name"));
        };
        if extension.identifier.is_some() {
            return Some(("Extension.AlreadyRegistered", "The extension has registered before"));
        }
        extension.identifier = Some(identifier.clone());
        extension.wants_invoke = wants("INVOKE");
        extension.wants_shutdown = wants("SHUTDOWN");
        None
    });
    if let Some((error_type, message)) = refused {
        return error_reply(403, error_type, message);
    }
    let function = &shared.config.function;
    let mut body = json!({
        "functionName": function.name,
        "functionVersion": function.version,
        "handler": function.handler,
    });
    if account_id {
        body["accountId"] = function.account_id.as_str().into();
    }
    let mut response = json_reply(200, &body);
    if let Ok(identifier) = HeaderValue::from_str(&identifier) {
        response.headers_mut().insert("lambda-extension-identifier", identifier);
    }
    response
}

fn events_of(body: &Value) -> Option<Vec<&str>> {
    match body.get("events") {
        None => Some(Vec::new()),
        Some(events) => events.as_array()?.iter().map(Value::as_str).collect(),
    }
}

async fn next(shared: &Shared, request: &Request<Incoming>) -> Reply {
    let identifier = match identifier(shared, request) {
        Ok(identifier) => identifier,
        Err(refusal) => return refusal.into_reply(),
    };
    let mut first = None;
    let asked = shared.change(|environment| {
        let extension = environment.extension_by_identifier(&identifier)?;
        if !std::mem::replace(&mut extension.announced, true) {
            let mut events = Vec::new();
            events.extend(extension.wants_invoke.then_some("INVOKE"));
            events.extend(extension.wants_shutdown.then_some("SHUTDOWN"));
            first = Some(json!({"name": extension.name, "state": "Ready", "events": events}));
        }
        Some(extension.ask())
    });
    if let Some(record) = first {
        shared.telemetry.platform("platform.extension", &record);
    }
    let event = match asked {
        Some(Ok(event)) => event,
        Some(Err(receiver)) => match receiver.await {
            Ok(event) => {
                let mut environment = shared.environment();
                environment.extension_by_identifier(&identifier).into_iter().for_each(|e| e.took());
                event
            }
            Err(_) => return error_reply(500, "Sandbox.Failure", "The environment has ended"),
        },
        None => return Unidentified::Unknown.into_reply(),
    };
    let mut response = json_reply(200, &event);
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        response.headers_mut().insert("lambda-extension-event-identifier", id);
    }
    response
}

fn fail(shared: &Shared, request: Request<Incoming>, kind: &str) -> Reply {
    let identifier = match identifier(shared, &request) {
        Ok(identifier) => identifier,
        Err(refusal) => return refusal.into_reply(),
    };
    let Some(error_type) = header(&request, "lambda-extension-function-error-type") else {
        let message = "Lambda-Extension-Function-Error-Type is missing";
        return error_reply(403, "Extension.MissingErrorType", message);
    };
    let known = shared.change(|environment| {
        let name = environment.extension_by_identifier(&identifier)?.name.clone();
        environment.fail(Failure {
            status: Status::Error,
            error_type: kind.into(),
            message: format!("{name}: {error_type}"),
            payload: None,
        });
        Some(())
    });
    match known {
        Some(()) => json_reply(202, &json!({"status": "OK"})),
        None => Unidentified::Unknown.into_reply(),
    }
}

/// Why a call is not taken to be an extension's.
pub(crate) enum Unidentified {
    Missing,
    Unknown,
}

impl Unidentified {
    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Missing => error_reply(
                403,
                "Extension.MissingExtensionIdentifier",
                "Lambda-Extension-Identifier is missing",
            ),
            Self::Unknown => error_reply(
                403,
                "Extension.UnknownExtensionIdentifier",
                "No extension has this identifier",
            ),
        }
    }
}

/// The identifier of a registered extension.
pub(crate) fn identifier<B>(shared: &Shared, request: &Request<B>) -> Result<String, Unidentified> {
    let identifier = header(request, "lambda-extension-identifier").ok_or(Unidentified::Missing)?;
    match shared.environment().extension_by_identifier(identifier) {
        Some(_) => Ok(identifier.to_owned()),
        None => Err(Unidentified::Unknown),
    }
}

/// The body as JSON; an empty one is an empty object. `None` when it is neither or too long.
pub(crate) async fn json_body(request: Request<Incoming>) -> Option<Value> {
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await.ok()?.to_bytes();
    if body.is_empty() {
        return Some(json!({}));
    }
    serde_json::from_slice(&body).ok()
}

/// The credentials of a SnapStart environment; made up.
pub(crate) fn credentials(shared: &Shared) -> Reply {
    let expiration = shared.clock.now() + Duration::from_secs(6 * 3600);
    json_reply(
        200,
        &json!({
            "AccessKeyId": crate::process_env::ACCESS_KEY_ID,
            "SecretAccessKey": crate::process_env::SECRET_ACCESS_KEY,
            "Token": crate::process_env::SESSION_TOKEN,
            "Expiration": humantime::format_rfc3339_seconds(expiration).to_string(),
        }),
    )
}
