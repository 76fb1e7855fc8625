//! Text for a person: in colour where the terminal takes it, and never with NO_COLOR.

use anstyle::{AnsiColor, Style};
use std::io::{self, IsTerminal, Write, stdout};

const WIDTH: usize = 100;
const LABEL_WIDTH: usize = 10;

/// The styles of a page; all plain where there is no colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) heading: Style,
    pub(crate) label: Style,
    pub(crate) good: Style,
    pub(crate) bad: Style,
    pub(crate) warning: Style,
}

impl Page {
    /// Without colour.
    pub(crate) const fn plain() -> Self {
        let plain = Style::new();
        Self { heading: plain, label: plain, good: plain, bad: plain, warning: plain }
    }

    /// As standard output takes it.
    pub(crate) fn of_stdout() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if !stdout().is_terminal() || is_set("NO_COLOR") || is_dumb {
            return Self::plain();
        }
        Self {
            heading: AnsiColor::Cyan.on_default().bold(),
            label: Style::new().dimmed(),
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            warning: AnsiColor::Yellow.on_default().bold(),
        }
    }

    /// A line in a style.
    pub(crate) fn line(&self, out: &mut impl Write, style: Style, text: &str) -> io::Result<()> {
        writeln!(out, "{style}{}{style:#}", printable(text))
    }

    /// A text after its label, or below the one before it if that is empty. Nothing if there is no
    /// text.
    pub(crate) fn labelled(&self, out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
        let Self { label: style, .. } = self;
        if text.is_empty() {
            return Ok(());
        }
        // ARNs and other long words stay whole, so that they can be copied.
        let options = textwrap::Options::new(WIDTH - LABEL_WIDTH - 2)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        let mut label = label;
        for line in textwrap::wrap(&printable(text), options) {
            writeln!(out, "  {style}{label:LABEL_WIDTH$}{style:#}{line}")?;
            label = "";
        }
        Ok(())
    }
}

/// A text that moves no cursor and changes no colour: it may come from a log.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_cannot_drive_the_terminal() {
        let mut out = Vec::new();
        Page::plain().labelled(&mut out, "evidence", "\x1b[31mred\rover\x07\u{9b}2J").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.trim_end().chars().all(|c| !c.is_control()), "{text:?}");
    }
}
