//! The user's signatures: their file is read beside the loop, which waits for it a little.
//!
//! A file on a network mount may take for ever to read, so a plain thread of its own does. It
//! starts with the first log record: not before /next was asked for, and never where the function
//! logs nothing. Records that come meanwhile are held, so that those of the first invocation are
//! looked at too; but not for long, and nothing else is held up.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;
use triage_diagnosis::signatures::{MAX_FILE_BYTES, SignatureError, Signatures, parse};
use triage_diagnosis::{Timestamp, fault_point};

/// How long log records are held. A local file is there in less than a millisecond of CPU time, of
/// which a function of 128 MB gets a fourteenth.
const WAIT_MS: u64 = 250;
/// A wait that ends so much later than it was to was interrupted by a freeze.
const FREEZE_MS: u64 = 20;
/// When another try is made if no thread is left for it.
const RETRY_MS: u64 = 1_000;
/// How many entries that are wrong are told of singly.
const MAX_TOLD: usize = 5;
/// Reading and compiling nest a few levels deep at most.
const STACK_BYTES: usize = 256 * 1024;

/// What became of a file, or nothing after a bug.
pub(crate) type Loaded = Option<Result<(Signatures, Vec<SignatureError>), io::Error>>;

/// The file on its way.
#[derive(Debug)]
pub(crate) struct SignatureFile {
    path: PathBuf,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// No log record has come yet; or no thread was left, and another try is due later.
    NotBegun {
        not_before: Option<Timestamp>,
    },
    Reading {
        loaded: oneshot::Receiver<Loaded>,
        wait: Option<Wait>,
    },
    Over,
}

#[derive(Debug)]
struct Wait {
    until: Timestamp,
    is_prolonged: bool,
}

impl SignatureFile {
    /// Not read yet; None if there is none.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        let progress = match path {
            Some(_) => Progress::NotBegun { not_before: None },
            None => Progress::Over,
        };
        Self { path: path.unwrap_or_default(), progress }
    }

    /// A log record has come: whether it is to be held. From the first one on the file is read. At
    /// the end of the sandbox there is no waiting beyond `latest`.
    pub(crate) fn holds_up(&mut self, latest: Option<Timestamp>, now: Timestamp) -> bool {
        if let Progress::NotBegun { not_before } = &self.progress
            // Also if the clock was set back.
            && not_before.is_none_or(|at| now >= at || at.ms_since(now) > RETRY_MS)
        {
            let until = now.plus_ms(WAIT_MS);
            let until = latest.map_or(until, |latest| until.min(latest));
            self.begin(Wait { until, is_prolonged: false }, now);
        }
        self.is_awaited()
    }

    fn begin(&mut self, wait: Wait, now: Timestamp) {
        let (send, loaded) = oneshot::channel();
        let path = self.path.clone();
        // So that a bug in it is met once.
        self.progress = Progress::Over;
        fault_point!("signatures");
        let thread = std::thread::Builder::new().name("signatures".to_owned());
        let read = move || {
            let _ = send.send(Some(load(&path)));
        };
        self.progress = match thread.stack_size(STACK_BYTES).spawn(read) {
            Ok(_) => Progress::Reading { loaded, wait: Some(wait) },
            Err(_) => Progress::NotBegun { not_before: Some(now.plus_ms(RETRY_MS)) },
        };
    }

    /// Whether nothing is awaited of the file any more, or there is none.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }

    /// Whether log records are held.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.progress, Progress::Reading { wait: Some(_), .. })
    }

    /// When [`Self::handle_due`] is to be called at the latest.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.progress {
            // Nothing is waited for by a clock that was set back.
            Progress::Reading { wait: Some(wait), .. } => {
                Some(wait.until.min(now.plus_ms(WAIT_MS)))
            }
            _ => None,
        }
    }

    /// The end of the sandbox has begun: there is no waiting beyond `latest`.
    pub(crate) fn handle_end(&mut self, latest: Timestamp) {
        if let Progress::Reading { wait: Some(wait), .. } = &mut self.progress {
            *wait = Wait { until: wait.until.min(latest), is_prolonged: true };
        }
    }

    /// Waits no longer, if the time for that has come. The file may still be read some time.
    pub(crate) fn handle_due(&mut self, now: Timestamp) {
        let Progress::Reading { wait, .. } = &mut self.progress else { return };
        let Some(Wait { until, is_prolonged }) = wait else { return };
        if (1..=WAIT_MS).contains(&until.ms_since(now)) {
            return;
        }
        if now.ms_since(*until) > FREEZE_MS && !*is_prolonged {
            *wait = Some(Wait { until: now.plus_ms(WAIT_MS), is_prolonged: true });
            return;
        }
        *wait = None;
        tracing::warn!(
            "TRIAGE_SIGNATURES: {} cannot be read in {WAIT_MS} ms: until it is, its signatures are not looked for",
            self.path.display()
        );
    }

    /// What became of the file; waits for ever if nothing is under way. Can be dropped and waited
    /// for again.
    pub(crate) async fn loaded(&mut self) -> Loaded {
        let Progress::Reading { loaded, .. } = &mut self.progress else {
            return std::future::pending().await;
        };
        let loaded = loaded.await.ok().flatten();
        self.progress = Progress::Over;
        loaded
    }

    /// Says what is wrong, and gives what is right.
    pub(crate) fn signatures(&self, loaded: Loaded) -> Option<Signatures> {
        let path = self.path.display();
        // What a bug did was told where it was.
        let (signatures, errors) = match loaded? {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::warn!("TRIAGE_SIGNATURES: {path} cannot be read: {error}");
                return None;
            }
        };
        for error in errors.iter().take(MAX_TOLD) {
            tracing::warn!("TRIAGE_SIGNATURES: {path}, {error}; this is left out");
        }
        if errors.len() > MAX_TOLD {
            let more = errors.len() - MAX_TOLD;
            tracing::warn!("TRIAGE_SIGNATURES: {path} has {more} more entries that are left out");
        }
        tracing::debug!("{} signatures are looked for", signatures.problems().count());
        Some(signatures)
    }
}

fn load(path: &Path) -> Result<(Signatures, Vec<SignatureError>), io::Error> {
    fault_point!("load signatures");
    let mut file = Vec::new();
    // One byte more shows that it is too long.
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut file)?;
    let (signatures, errors) = parse(&file);
    Ok((Signatures::keep(signatures), errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    /// A file that does not answer.
    fn hanging() -> SignatureFile {
        let (send, loaded) = oneshot::channel();
        std::mem::forget(send);
        let wait = Some(Wait { until: ms(WAIT_MS), is_prolonged: false });
        SignatureFile { path: PathBuf::new(), progress: Progress::Reading { loaded, wait } }
    }

    #[tokio::test]
    async fn records_are_held_until_the_file_is_there() {
        let mut file = SignatureFile::new(Some("/nowhere/signatures.toml".into()));
        assert!(!file.is_awaited(), "nothing has been logged");
        assert!(file.holds_up(None, ms(0)));
        assert!(file.holds_up(None, ms(1)), "nor is the next one let through");
        assert!(matches!(file.loaded().await, Some(Err(_))));
        assert!(!file.holds_up(None, ms(2)));
        assert!(!SignatureFile::new(None).holds_up(None, ms(0)));
    }

    #[test]
    fn a_wait_has_an_end() {
        let mut file = hanging();
        file.handle_due(ms(WAIT_MS - 1));
        assert!(file.is_awaited());
        assert_eq!(file.due(ms(10)), Some(ms(WAIT_MS)));
        file.handle_due(ms(WAIT_MS));
        assert!(!file.is_awaited() && !file.holds_up(None, ms(WAIT_MS)));
    }

    #[test]
    fn a_freeze_prolongs_it_once() {
        let mut file = hanging();
        file.handle_due(ms(60_000));
        assert!(file.is_awaited());
        file.handle_due(ms(120_000));
        assert!(!file.is_awaited());
    }

    #[test]
    fn a_clock_that_is_set_back_ends_it() {
        let mut file = hanging();
        let now = Timestamp::from_ms(1_000);
        assert_eq!(file.due(now), Some(now.plus_ms(WAIT_MS)));
        file.handle_due(now);
        assert!(!file.is_awaited());
    }

    #[test]
    fn the_end_of_the_sandbox_leaves_less_time() {
        let mut file = hanging();
        file.handle_end(ms(50));
        file.handle_due(ms(50));
        assert!(!file.is_awaited());
        let mut file = SignatureFile::new(Some("/nowhere/signatures.toml".into()));
        assert!(file.holds_up(Some(ms(20)), ms(0)));
        assert_eq!(file.due(ms(0)), Some(ms(20)));
    }
}
