//! What is shown of the sandbox's work.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime};

use lambda_sandbox::{
    Alarms, AttemptRecord, Destination, InvocationOutcome, InvokeAnswer, LambdaService, LogEvent,
    LogSource, Message, MetricStore, Status,
};

/// Prints to stdout, in colour on a terminal.
pub(crate) struct Printer {
    out: io::Stdout,
    colour: bool,
    /// Log events printed so far, of each environment.
    positions: Vec<usize>,
}

const DIM: &str = "2";
const CYAN: &str = "36";
const YELLOW: &str = "33";
const RED: &str = "31";
const GREEN: &str = "32";

impl Printer {
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out, colour, positions: Vec::new() }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What the function's environments logged since the last call.
    pub(crate) fn log(&mut self, service: &LambdaService, function: &str) -> io::Result<()> {
        let sandboxes = service.sandboxes(function);
        self.positions.resize(sandboxes.len(), 0);
        for (number, sandbox) in sandboxes.iter().enumerate() {
            let events = sandbox.log_from(self.positions[number]);
            self.positions[number] += events.len();
            for event in &events {
                self.event(event)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &LogEvent) -> io::Result<()> {
        let colour = match event.source {
            LogSource::Function => CYAN,
            LogSource::Extension(_) => YELLOW,
            LogSource::Platform => DIM,
        };
        let time = humantime::format_rfc3339_millis(event.time);
        let source = self.paint(colour, &format!("{:<20}", event.source.to_string()));
        writeln!(self.out, "{time} {source} {}", event.text)
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

    /// What a caller is answered; of a function that ran, how.
    pub(crate) fn answer(&mut self, answer: &InvokeAnswer) -> io::Result<()> {
        if let Some(outcome) = &answer.outcome {
            return self.outcome(outcome);
        }
        let colour = if answer.error_type.is_some() { RED } else { GREEN };
        let status = self.paint(colour, &answer.status.to_string());
        let error_type = answer.error_type.unwrap_or("queued");
        let body = String::from_utf8_lossy(&answer.body);
        writeln!(self.out, "{}", format!("=> {status} {error_type} {body}").trim_end())
    }

    /// One attempt to work through an asynchronous event that was sent at `began`.
    pub(crate) fn attempt(&mut self, attempt: &AttemptRecord, began: SystemTime) -> io::Result<()> {
        let after = attempt.at.duration_since(began).unwrap_or_default();
        let after = humantime::format_duration(Duration::from_secs(after.as_secs()));
        let how = match (&attempt.outcome, attempt.error_type) {
            (Some(outcome), _) => outcome.status.as_str(),
            (None, refused) => refused.unwrap_or_default(),
        };
        writeln!(self.out, "=> attempt after {after}: {how}, request {}", attempt.request_id)
    }

    /// What arrived at a destination.
    pub(crate) fn message(&mut self, message: &Message) -> io::Result<()> {
        let (kind, name) = match &message.destination {
            Destination::Function(name) => ("lambda", name),
            Destination::Queue(name) => ("sqs", name),
            Destination::Topic(name) => ("sns", name),
            Destination::EventBus(name) => ("events", name),
        };
        let target = self.paint(GREEN, &format!("{kind}:{name}"));
        let attributes: String = message
            .attributes
            .iter()
            .map(|attribute| format!(" {}={:?}", attribute.name, attribute.value))
            .collect();
        let body = String::from_utf8_lossy(&message.body);
        writeln!(self.out, "=> {target} {body}{attributes}")
    }

    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "=> {text}")
    }

    pub(crate) fn alarms(&mut self, alarms: &Alarms, metrics: &MetricStore) -> io::Result<()> {
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

    pub(crate) fn metrics(&mut self, metrics: &MetricStore) -> io::Result<()> {
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
