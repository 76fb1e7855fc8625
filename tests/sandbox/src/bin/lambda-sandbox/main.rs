//! Runs a function with its extensions in a local Lambda, and shows what CloudWatch would hold.

mod printer;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use lambda_sandbox::{
    Alarms, Config, Deployment, Destination, EventInvokeConfig, ExtensionConfig, FunctionConfig,
    InitializationType, Invocation, InvocationType, InvokeFailure, LambdaService, LifecycleConfig,
    LogFormat, MAXIMUM_EVENT_AGE, MetricStore, SandboxError, ShutdownReason, StackSettings,
    Template, TemplateError,
};
use printer::Printer;

/// Run a function process and external extensions as AWS Lambda does, on loopback.
///
/// Prints the function's log as it grows, each invocation's outcome, and at the end the metrics
/// that CloudWatch would have extracted. Exits with 1 when the sandbox itself fails; a function
/// that fails is no failure of the sandbox.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// An extension executable; repeat for more
    #[arg(short, long = "extension", value_name = "PATH")]
    extensions: Vec<PathBuf>,
    /// An invocation with this event; repeat for more [default: one with {}]
    #[arg(short, long = "invoke", value_name = "JSON")]
    invocations: Vec<String>,
    /// X-Amzn-Trace-Id of every invocation [default: a fresh one each]
    #[arg(long, value_name = "HEADER")]
    trace_header: Option<String>,
    /// Function name
    #[arg(long, default_value = "function")]
    name: String,
    /// Handler, as _HANDLER names it
    #[arg(long, default_value = "app.handler")]
    handler: String,
    /// Timeout in seconds, such as 3 or 0.5
    #[arg(short, long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    timeout: Duration,
    /// Memory size in MB
    #[arg(short, long, default_value_t = 128, value_name = "MB")]
    memory: u32,
    /// Kill the runtime when all processes together hold more than the memory size
    #[arg(long)]
    limit_memory: bool,
    /// Log format
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormatName,
    /// Initialization type
    #[arg(long, value_enum, default_value = "on-demand")]
    initialization_type: InitializationTypeName,
    /// A variable of the function's environment; repeat for more
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// LAMBDA_TASK_ROOT and working directory [default: the current one]
    #[arg(long, value_name = "PATH")]
    task_root: Option<PathBuf>,
    /// Refuse each invocation so before any environment starts, such as EFSMountFailureException
    #[arg(long, value_name = "ERROR")]
    fail: Option<InvokeFailure>,
    /// Another function, to be reached by AWS_ENDPOINT_URL_LAMBDA, which fails so; repeat for more
    #[arg(long, value_name = "NAME=ERROR", value_parser = callee)]
    callee: Vec<(String, InvokeFailure)>,
    /// Invoke asynchronously, and let the six hours pass that Lambda tries for
    #[arg(long = "async")]
    asynchronous: bool,
    /// Where the records of failed events go: sqs:NAME, sns:NAME, events:NAME or lambda:NAME
    #[arg(long, value_name = "DESTINATION", value_parser = destination, requires = "asynchronous")]
    on_failure: Option<Destination>,
    /// The same of those that succeed
    #[arg(long, value_name = "DESTINATION", value_parser = destination, requires = "asynchronous")]
    on_success: Option<Destination>,
    /// Where failed events go themselves: sqs:NAME or sns:NAME
    #[arg(long, value_name = "DESTINATION", value_parser = destination, requires = "asynchronous")]
    dead_letter: Option<Destination>,
    /// Write every telemetry record to this file at the end, one a line
    #[arg(long, value_name = "PATH")]
    telemetry: Option<PathBuf>,
    /// Say which alarms of this CloudFormation template fire, within half an hour of the last metric
    #[arg(long, value_name = "TEMPLATE")]
    alarms: Option<PathBuf>,
    /// A parameter of that template; repeat for more
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "alarms")]
    parameter: Vec<(String, String)>,
    /// Let the processes run between invocations
    #[arg(long)]
    no_freeze: bool,
    /// Program and arguments of the function's runtime process
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatName {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InitializationTypeName {
    OnDemand,
    ProvisionedConcurrency,
    SnapStart,
    LambdaManagedInstances,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn callee(text: &str) -> Result<(String, InvokeFailure), String> {
    let (name, failure) = variable(text).map_err(|_| "not NAME=ERROR")?;
    let failure = failure.parse::<InvokeFailure>().map_err(|error| error.to_string())?;
    Ok((name, failure))
}

fn destination(text: &str) -> Result<Destination, String> {
    let (kind, name) = text.split_once(':').unwrap_or_default();
    let name = name.to_owned();
    match kind {
        "sqs" => Ok(Destination::Queue(name)),
        "sns" => Ok(Destination::Topic(name)),
        "events" => Ok(Destination::EventBus(name)),
        "lambda" => Ok(Destination::Function(name)),
        _ => Err("not sqs:NAME, sns:NAME, events:NAME or lambda:NAME".into()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lambda-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The alarms that were asked for, before anything runs.
fn alarms(arguments: &Arguments) -> Result<Option<Alarms>, Error> {
    let Some(path) = &arguments.alarms else { return Ok(None) };
    let text =
        std::fs::read_to_string(path).map_err(|error| Error::Read { path: path.clone(), error })?;
    let parameters = arguments.parameter.iter().cloned().collect();
    let settings = StackSettings { parameters, ..StackSettings::default() };
    Ok(Some(Template::parse(&text)?.stack(settings)?.alarms()?))
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut events = arguments.invocations.clone();
    if events.is_empty() {
        events.push("{}".into());
    }
    let trace_header = arguments.trace_header.clone();
    let telemetry = arguments.telemetry.clone();
    let alarms = alarms(&arguments)?;
    let asynchronous = arguments.asynchronous;
    let name = arguments.name.clone();
    let service = service(arguments).await?;
    let mut printer = Printer::new();
    printer.log(&service, &name)?;
    for event in events {
        let invocation =
            Invocation { trace_header: trace_header.clone(), ..Invocation::new(event) };
        let kind =
            if asynchronous { InvocationType::Event } else { InvocationType::RequestResponse };
        let invoke = service.invoke(&name, kind, invocation);
        let answer = watched(invoke, &service, &name, &mut printer).await?;
        printer.answer(&answer)?;
    }
    if asynchronous {
        let began = service.now();
        let advance = service.advance(MAXIMUM_EVENT_AGE);
        watched(advance, &service, &name, &mut printer).await??;
        for attempt in service.attempts() {
            printer.attempt(&attempt, began)?;
        }
        for message in service.all_messages() {
            printer.message(&message)?;
        }
    }
    let mut metrics = MetricStore::default();
    let mut records = String::new();
    for sandbox in service.sandboxes(&name) {
        sandbox.shutdown(ShutdownReason::Spindown).await;
        printer.log(&service, &name)?;
        for exit in sandbox.extension_exits() {
            let end = match (exit.code, exit.killed) {
                (_, true) => "was killed".to_owned(),
                (Some(code), _) => format!("exited with {code}"),
                (None, _) => format!("ended by signal {}", exit.signal.unwrap_or_default()),
            };
            let reason = exit.reason.as_str();
            let took = exit.took.as_millis();
            printer.note(&format!("extension {} {end}, {took} ms after {reason}", exit.name))?;
        }
        metrics = sandbox.metrics();
        records.extend(sandbox.telemetry().iter().map(|record| format!("{record}\n")));
    }
    printer.metrics(&metrics)?;
    if let Some(alarms) = alarms {
        printer.alarms(&alarms, &metrics)?;
    }
    if let Some(path) = telemetry {
        std::fs::write(path, records)?;
    }
    Ok(())
}

/// Shows the log while something runs.
async fn watched<T>(
    work: impl Future<Output = T>,
    service: &LambdaService,
    name: &str,
    printer: &mut Printer,
) -> io::Result<T> {
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(Duration::from_millis(50)) => printer.log(service, name)?,
        }
    };
    printer.log(service, name)?;
    Ok(done)
}

/// The function and those that it may call. Its environment is started, unless it is to fail.
async fn service(mut arguments: Arguments) -> Result<LambdaService, SandboxError> {
    let service = LambdaService::start().await?;
    for (name, failure) in std::mem::take(&mut arguments.callee) {
        let function = FunctionConfig { name: name.clone(), ..FunctionConfig::default() };
        service.deploy(Deployment::new(Config { function, ..Config::default() }))?;
        service.fail(&name, failure, None)?;
    }
    let event_invoke_config = EventInvokeConfig {
        on_failure: arguments.on_failure.take(),
        on_success: arguments.on_success.take(),
        ..EventInvokeConfig::default()
    };
    let dead_letter = arguments.dead_letter.take();
    let failure = arguments.fail;
    let name = arguments.name.clone();
    let config = config(arguments);
    service.deploy(Deployment { event_invoke_config, dead_letter, ..Deployment::new(config) })?;
    match failure {
        Some(failure) => service.fail(&name, failure, None)?,
        None => service.provision(&name).await?,
    }
    Ok(service)
}

fn config(arguments: Arguments) -> Config {
    Config {
        function: FunctionConfig {
            name: arguments.name,
            handler: arguments.handler,
            command: arguments.command,
            env: arguments.env,
            timeout: arguments.timeout,
            memory_mb: arguments.memory,
            limit_memory: arguments.limit_memory,
            task_root: arguments.task_root,
            log_format: match arguments.log_format {
                LogFormatName::Text => LogFormat::Text,
                LogFormatName::Json => LogFormat::Json,
            },
            initialization_type: match arguments.initialization_type {
                InitializationTypeName::OnDemand => InitializationType::OnDemand,
                InitializationTypeName::ProvisionedConcurrency => {
                    InitializationType::ProvisionedConcurrency
                }
                InitializationTypeName::SnapStart => InitializationType::SnapStart,
                InitializationTypeName::LambdaManagedInstances => {
                    InitializationType::ManagedInstances
                }
            },
            ..FunctionConfig::default()
        },
        extensions: arguments.extensions.into_iter().map(ExtensionConfig::new).collect(),
        lifecycle: LifecycleConfig { freeze: !arguments.no_freeze, ..LifecycleConfig::default() },
        ..Config::default()
    }
}
