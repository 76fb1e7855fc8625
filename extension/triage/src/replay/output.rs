//! What is told: to be read, or as the extension's own lines.

use super::diagnosed::{Diagnosed, known_time};
use super::progress::{Progress, amount};
use super::sandboxes::{Counts, Told};
use super::settings::{Metrics, OutputFormat};
use super::summary::Summary;
use super::{Found, ReplayOptions};
use crate::page::Page;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{self, IsTerminal, Write, stderr, stdout};

/// Standard output and what was written to it.
pub(crate) struct Output {
    page: Page,
    format: OutputFormat,
    has_metrics: bool,
    is_terminal: bool,
    progress: Progress,
    summary: Summary,
    read_bytes: u64,
    /// What was advised: once is enough for a reader.
    advised: HashSet<String>,
}

impl Output {
    /// `size` is that of the input, where it is known.
    pub(crate) fn new(options: &ReplayOptions, size: Option<u64>) -> Self {
        let is_terminal = stdout().is_terminal();
        let usual = if is_terminal { OutputFormat::Text } else { OutputFormat::Json };
        Self {
            page: Page::of_stdout(),
            format: options.output.unwrap_or(usual),
            has_metrics: options.metrics == Metrics::Emf,
            is_terminal,
            progress: Progress::new(size),
            summary: Summary::default(),
            read_bytes: 0,
            advised: HashSet::new(),
        }
    }

    /// Tells of a diagnosis.
    pub(crate) fn tell(&mut self, told: &Told) -> io::Result<()> {
        let line = told.report.to_line(self.has_metrics);
        let Ok(diagnosed) = serde_json::from_str::<Diagnosed>(&line) else { return Ok(()) };
        self.summary.count(&told.report, &diagnosed);
        self.clear_progress();
        match self.format {
            OutputFormat::Json => writeln!(stdout(), "{line}"),
            OutputFormat::Text => self.write_text(&diagnosed, &told.stream),
        }
    }

    fn write_text(&mut self, diagnosed: &Diagnosed, stream: &str) -> io::Result<()> {
        let Diagnosed { level, message, diagnosis, .. } = diagnosed;
        let Page { bad, warning, .. } = self.page;
        let style = if level == "ERROR" { bad } else { warning };
        let mut text = Vec::new();
        self.page.line(&mut text, style, &format!("{level} {message}"))?;
        let cause = diagnosis.cause.as_ref().map(|cause| format!(", cause {cause}"));
        let view = diagnosis.view.as_ref().map(|view| format!(", view {view}"));
        // A log is of one function, which who reads it knows.
        let function =
            diagnosed.function_name.clone().filter(|_| view.as_deref() == Some(", view outside"));
        let (cause, view) = (cause.unwrap_or_default(), view.unwrap_or_default());
        let problem = format!("{}{cause} ({}{view})", diagnosis.problem, diagnosis.stage);
        let times = Some(diagnosis.occurrences).filter(|times| *times > 1);
        let (advice, reference) = match &diagnosis.advice {
            Some(advice) if !self.advised.insert(advice.clone()) => (String::new(), String::new()),
            advice => (
                advice.clone().unwrap_or_default(),
                diagnosis.reference.clone().unwrap_or_default(),
            ),
        };
        for (label, value) in [
            ("problem", problem),
            ("time", known_time(&diagnosed.timestamp).unwrap_or_default().to_owned()),
            ("function", function.unwrap_or_default()),
            ("request", diagnosed.request_id.clone().unwrap_or_default()),
            ("stream", stream.to_owned()),
            ("trace", diagnosed.trace_id.clone().unwrap_or_default()),
            ("seen", times.map(|times| format!("{times} times")).unwrap_or_default()),
            ("advice", advice),
            ("see", reference),
        ] {
            self.page.labelled(&mut text, label, &value)?;
        }
        let mut label = "evidence";
        for (name, value) in &diagnosis.evidence {
            let value = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            self.page.labelled(&mut text, label, &format!("{name}: {value}"))?;
            label = "";
        }
        writeln!(text)?;
        stdout().write_all(&text)
    }

    /// So many bytes of the input have been worked through.
    pub(crate) fn progress(&mut self, bytes: u64) {
        self.read_bytes = self.read_bytes.max(bytes);
        self.progress.update(bytes, self.summary.problems());
    }

    /// Makes room for what is said on standard error.
    pub(crate) fn clear_progress(&mut self) {
        self.progress.clear();
    }

    /// Whether anything was found.
    pub(crate) fn found(&self) -> Found {
        if self.summary.is_empty() { Found::Nothing } else { Found::Problems }
    }

    /// Sums up, where it cannot be mistaken for the lines.
    pub(crate) fn summary(&mut self, counts: Counts) -> io::Result<()> {
        self.clear_progress();
        let Counts { invocations, sandboxes, given_up, outside } = counts;
        let mut text = Vec::new();
        let page = if self.is_terminal { self.page } else { Page::plain() };
        self.summary.write(&mut text, &page)?;
        let read = amount(self.read_bytes);
        let invocations = counted(invocations, "invocation");
        let sandboxes = counted(sandboxes as u64, "environment");
        match outside {
            None => writeln!(text, "{read} read: {invocations} in {sandboxes}")?,
            Some((requests, 0)) => writeln!(text, "{read} read: {}", counted(requests, FAILED))?,
            Some((requests, unknown)) => {
                let requests = counted(requests, FAILED);
                writeln!(
                    text,
                    "{read} read: {requests}, {unknown} for none of the known problems"
                )?;
            }
        }
        if given_up > 0 {
            writeln!(
                text,
                "{given_up} times there were too many log streams at once, and the one silent for \
                 longest was taken for over"
            )?;
        }
        if self.is_terminal {
            return stdout().write_all(&text);
        }
        // Who closed standard error does not want it.
        let _ = stderr().write_all(&text);
        Ok(())
    }
}

const FAILED: &str = "failed request";

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
