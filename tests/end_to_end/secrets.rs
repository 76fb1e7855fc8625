//! Nothing private leaves, end to end: secrets in the environment, in command lines, payloads,
//! answers and logs of a real function, and the extension's own log at its loudest.

use crate::environment::{extension, shown};
use crate::planted::{FRAMES, Random, SHAPES, Secret, secret};
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LogEvent, LogFormat, LogSource, LogStream,
    Sandbox, ShutdownReason, cargo_example,
};
use serde_json::json;
use std::time::Duration;

/// Variables that hold secrets, and those of the extension with nonsense in them.
const VARIABLES: [&str; 19] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "DB_PASSWORD",
    "DATABASE_URL",
    "API_KEY",
    "PRIVATE_KEY",
    "REDIS_URL",
    "_X_AMZN_TRACE_ID",
    "TRIAGE_METRICS",
    "TRIAGE_NEAR_TIMEOUT_PERCENT",
    "TRIAGE_RECURSION_DEPTH",
    "TRIAGE_RECURSION_RATE",
    "TRIAGE_DISABLE",
    "TRIAGE_FLUSH",
    "TRIAGE_PROBE",
    "TRIAGE_SIGNATURES",
    "TRIAGE_TYPING_ERROR",
];

const ERRORS: [&str; 6] = [
    "KMSDisabledException: arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef is disabled.",
    "EFSIOException: This function instance was stopped because Lambda detected an IO process that was taking too long.",
    "EFSMountFailureException: The function could not mount the EFS file system with access point",
    "botocore.exceptions.ClientError: An error occurred (KMSAccessDeniedException) when calling the Decrypt operation: denied",
    "operation error KMS: Decrypt, https response error StatusCode: 400, api error KMSNotFoundException: no",
    "User: x is not authorized to perform: kms:Decrypt on resource: y",
];

const INVOCATIONS: usize = 15;

struct Planted {
    random: Random,
    all: Vec<Secret>,
}

impl Planted {
    /// A new secret of any shape but those that are numbers, which times hold too.
    fn one(&mut self) -> String {
        let secret = loop {
            let shape = self.random.below(SHAPES);
            let secret = secret(shape, &mut self.random);
            if secret.parts.iter().any(|part| part.contains(char::is_alphabetic)) {
                break secret;
            }
        };
        self.all.push(secret);
        self.all[self.all.len() - 1].text.clone()
    }

    /// A line with an error in it and a secret beside it.
    fn line(&mut self, format: LogFormat) -> String {
        let error = self.random.one(&ERRORS);
        let (before, after) = FRAMES[self.random.below(FRAMES.len())];
        let secret = format!("{before}{}{after}", self.one());
        let secret = secret.replace('\n', " ");
        // Lambda's JSON format makes a line of INFO of what is none.
        match self.random.below(3) {
            _ if format == LogFormat::Json => json!({ "level": "ERROR", "msg": format!("{error} {secret}"), "x": self.one() }).to_string(),
            0 => format!("[ERROR] {secret} {error}"),
            1 => format!("[ERROR] {error} {secret}"),
            _ => json!({ "level": "ERROR", "password": self.one(), "message": format!("{secret} {error}"), "body": secret }).to_string(),
        }
    }
}

#[tokio::test]
async fn no_secret_of_the_function_is_ever_printed() {
    let levels = ["off", "warn", "trace"];
    for (seed, (level, format)) in
        levels.into_iter().zip([LogFormat::Text, LogFormat::Json].into_iter().cycle()).enumerate()
    {
        let mut planted = Planted { random: Random::new(seed as u64 + 1), all: Vec::new() };
        let function = cargo_example("fixture_function").unwrap();
        let arguments = [planted.one(), format!("--password={}", planted.one())];
        let command = [function.to_string_lossy().into_owned()].into_iter().chain(arguments);
        let mut env: Vec<(String, String)> =
            VARIABLES.map(|name| (name.to_owned(), planted.one())).into();
        env.push(("TRIAGE_LOG".to_owned(), level.to_owned()));
        let config = Config {
            function: FunctionConfig {
                name: "orders".into(),
                timeout: Duration::from_secs(20),
                log_format: format,
                env: env.clone(),
                ..FunctionConfig::new(command)
            },
            extensions: vec![ExtensionConfig {
                path: extension().into(),
                env,
                ..ExtensionConfig::default()
            }],
            ..Config::default()
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        for _ in 0..INVOCATIONS {
            let ending = match planted.random.below(4) {
                0 => json!({ "error": planted.line(format) }),
                1 => json!({ "respond_then_exit": planted.one() }),
                2 => json!({ "print_environment": true }),
                _ => json!({ "print_error": planted.line(format) }),
            };
            let steps = json!([
                { "print": planted.line(format) }, { "frame": planted.line(format) }, { "print": planted.one() },
                ending
            ]);
            let event = json!({ "steps": steps, "card": planted.one(), "user": planted.one() });
            sandbox.invoke(Invocation::new(event.to_string())).await.unwrap();
        }
        sandbox.shutdown(ShutdownReason::Spindown).await;

        let own = |event: &LogEvent| matches!(event.source, LogSource::Extension(_));
        let printed: Vec<LogEvent> = sandbox.log().into_iter().filter(own).collect();
        let count = |stream| printed.iter().filter(|event| event.stream == stream).count();
        assert!(count(LogStream::Stdout) > INVOCATIONS / 2, "{level}: {}", shown(&sandbox));
        assert_eq!(count(LogStream::Stderr) > 0, level != "off", "{level}");
        for part in planted.all.iter().flat_map(|secret| &secret.parts) {
            for event in &printed {
                assert!(
                    !event.text.contains(part.as_str()),
                    "{level}: {part} is in {}",
                    event.text
                );
            }
        }
    }
}
