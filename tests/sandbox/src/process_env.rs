//! The environment variables of the function and of the extensions.

use crate::config::{InitializationType, LogFormat};
use crate::process::LOG_FD;
use crate::shared::Shared;

pub(crate) const ACCESS_KEY_ID: &str = "ASIAEXAMPLEEXAMPLE00";
pub(crate) const SECRET_ACCESS_KEY: &str = "example-secret-of-the-local-lambda";
pub(crate) const SESSION_TOKEN: &str = "example-session-token-of-the-local-lambda";

type Variables = Vec<(String, String)>;

/// What the runtime process sees. Lambda's reserved names win over the customer's.
pub(crate) fn of_function(shared: &Shared, log_stream: &str) -> Variables {
    let function = &shared.config.function;
    let mut variables = base();
    variables.extend(function.env.iter().cloned());
    let has_one_endpoint = shared.config.has_one_endpoint;
    let port = if has_one_endpoint { shared.extensions_port } else { shared.port };
    variables.extend(reserved(shared, port));
    let log_format = if function.log_format == LogFormat::Json || shared.is_managed() {
        set(&mut variables, "AWS_LAMBDA_LOG_LEVEL", "INFO");
        "JSON"
    } else {
        "Text"
    };
    let root = match &function.task_root {
        Some(root) => root.clone(),
        None => std::env::current_dir().unwrap_or_else(|_| "/".into()),
    };
    set(&mut variables, "_HANDLER", &function.handler);
    set(&mut variables, "AWS_DEFAULT_REGION", &function.region);
    set(&mut variables, "LAMBDA_TASK_ROOT", &root.to_string_lossy());
    set(&mut variables, "LAMBDA_RUNTIME_DIR", "/var/runtime");
    set(&mut variables, "AWS_LAMBDA_LOG_FORMAT", log_format);
    set(&mut variables, "AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", function.name));
    set(&mut variables, "AWS_LAMBDA_LOG_STREAM_NAME", log_stream);
    set(&mut variables, "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    set(&mut variables, "AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000");
    set(&mut variables, "_LAMBDA_TELEMETRY_LOG_FD", &LOG_FD.to_string());
    if shared.is_managed() {
        let concurrency = function.max_concurrency.to_string();
        set(&mut variables, "AWS_LAMBDA_MAX_CONCURRENCY", &concurrency);
    }
    variables
}

/// What an extension sees: the customer's variables and little of Lambda's; no `_` name, no
/// AWS_XRAY_*, no log names, no LAMBDA_TASK_ROOT.
pub(crate) fn of_extension(shared: &Shared, own: &[(String, String)]) -> Variables {
    let hidden = |name: &str| name.starts_with('_') || name.starts_with("AWS_XRAY_");
    let mut variables = base();
    let customer = shared.config.function.env.iter();
    variables.extend(customer.filter(|(name, _)| !hidden(name)).cloned());
    variables.extend(own.iter().cloned());
    variables.extend(reserved(shared, shared.extensions_port));
    variables
}

/// Defaults that the customer may change.
fn base() -> Variables {
    let mut variables = Variables::new();
    // The machine's own, so that interpreters are found.
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Ok(value) = std::env::var(name) {
            set(&mut variables, name, &value);
        }
    }
    set(&mut variables, "LANG", "en_US.UTF-8");
    set(&mut variables, "TZ", ":UTC");
    variables
}

fn reserved(shared: &Shared, port: u16) -> Variables {
    let function = &shared.config.function;
    let mut variables = Variables::new();
    let initialization_type = function.initialization_type;
    set(&mut variables, "AWS_LAMBDA_RUNTIME_API", &shared.runtime_api(port));
    set(&mut variables, "AWS_REGION", &function.region);
    set(&mut variables, "AWS_LAMBDA_FUNCTION_NAME", &function.name);
    set(&mut variables, "AWS_LAMBDA_FUNCTION_VERSION", &function.version);
    set(&mut variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory_mb.to_string());
    set(&mut variables, "AWS_LAMBDA_INITIALIZATION_TYPE", initialization_type.as_str());
    if initialization_type == InitializationType::SnapStart {
        let url = format!("http://127.0.0.1:{}/2021-04-23/credentials", shared.port);
        set(&mut variables, "AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
        set(&mut variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN", SESSION_TOKEN);
    } else {
        set(&mut variables, "AWS_ACCESS_KEY_ID", ACCESS_KEY_ID);
        set(&mut variables, "AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
        set(&mut variables, "AWS_SESSION_TOKEN", SESSION_TOKEN);
    }
    variables
}

fn set(variables: &mut Variables, name: &str, value: &str) {
    variables.push((name.to_owned(), value.to_owned()));
}
