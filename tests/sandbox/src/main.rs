//! Runs a function with its extensions in a local Lambda, and shows what CloudWatch would hold.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use lambda_sandbox::{
    Alarms, Config, ExtensionConfig, FunctionConfig, InitializationType, Invocation,
    InvocationOutcome, LifecycleConfig, LogFormat, LogSource, MetricStore, Sandbox, SandboxError,
    ShutdownReason, StackSettings, Status, Template, TemplateError,
};

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
    let mut printer = Printer::new();
    let sandbox = Sandbox::start(config(arguments)).await?;
    printer.log(&sandbox)?;
    for event in events {
        let invocation =
            Invocation { trace_header: trace_header.clone(), ..Invocation::new(event) };
        let outcome = {
            let invoke = sandbox.invoke(invocation);
            tokio::pin!(invoke);
            loop {
                tokio::select! {
                    outcome = &mut invoke => break outcome?,
                    () = tokio::time::sleep(Duration::from_millis(50)) => printer.log(&sandbox)?,
                }
            }
        };
        printer.log(&sandbox)?;
        printer.outcome(&outcome)?;
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    printer.log(&sandbox)?;
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
    let metrics = sandbox.metrics();
    printer.metrics(&metrics)?;
    if let Some(alarms) = alarms {
        printer.alarms(&alarms, &metrics)?;
    }
    if let Some(path) = telemetry {
        let records = sandbox.telemetry();
        std::fs::write(
            path,
            records.iter().map(|record| format!("{record}\n")).collect::<String>(),
        )?;
    }
    Ok(())
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

/// Prints to stdout, in colour on a terminal.
struct Printer {
    out: io::Stdout,
    colour: bool,
    /// Log events printed so far.
    position: usize,
}

const DIM: &str = "2";
const CYAN: &str = "36";
const YELLOW: &str = "33";
const RED: &str = "31";
const GREEN: &str = "32";

impl Printer {
    fn new() -> Self {
        let out = io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out, colour, position: 0 }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn log(&mut self, sandbox: &Sandbox) -> io::Result<()> {
        for event in sandbox.log_from(self.position) {
            self.position += 1;
            let colour = match event.source {
                LogSource::Function => CYAN,
                LogSource::Extension(_) => YELLOW,
                LogSource::Platform => DIM,
            };
            let time = humantime::format_rfc3339_millis(event.time);
            let source = self.paint(colour, &format!("{:<20}", event.source.to_string()));
            writeln!(self.out, "{time} {source} {}", event.text)?;
        }
        Ok(())
    }

    fn outcome(&mut self, outcome: &InvocationOutcome) -> io::Result<()> {
        let colour = if outcome.status == Status::Success { GREEN } else { RED };
        let status = self.paint(colour, outcome.status.as_str());
        let payload = outcome.payload_text();
        let shown = &payload[..payload.floor_char_boundary(200)];
        let InvocationOutcome { duration_ms, post_runtime_ms, .. } = outcome;
        writeln!(
            self.out,
            "=> {status} in {duration_ms:.1} ms, {post_runtime_ms:.1} ms after it: {shown}"
        )
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "=> {text}")
    }

    fn alarms(&mut self, alarms: &Alarms, metrics: &MetricStore) -> io::Result<()> {
        let times = || metrics.iter().flat_map(|(_, points)| points.iter().map(|point| point.time));
        let (Some(began), Some(ended)) = (times().min(), times().max()) else {
            return self.note("no alarm, without a metric");
        };
        let fired = alarms.fired(metrics, began, ended + Duration::from_secs(30 * 60));
        for name in &fired {
            let label = self.paint(RED, "alarm");
            writeln!(self.out, "=> {label} {name}")?;
        }
        let quiet = alarms.names().count() - fired.len();
        self.note(&format!("{quiet} alarms are quiet"))
    }

    fn metrics(&mut self, metrics: &MetricStore) -> io::Result<()> {
        if metrics.is_empty() {
            return self.note("no metrics");
        }
        for (key, points) in metrics.iter() {
            let dimensions: Vec<_> =
                key.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let sum: f64 = points.iter().map(|point| point.value).sum();
            let unit = points.first().map_or("", |point| point.unit.as_str());
            let name = self.paint(GREEN, &format!("{} {}", key.namespace, key.name));
            let dimensions = dimensions.join(",");
            let count = points.len();
            writeln!(self.out, "=> {name} [{dimensions}] sum {sum} {unit}, {count} values")?;
        }
        for rejected in metrics.rejected() {
            let label = self.paint(RED, "rejected EMF");
            writeln!(self.out, "=> {label}: {}: {}", rejected.reason, rejected.line)?;
        }
        Ok(())
    }
}
