//! From exec to the loop, and out.

use crate::clock::Clock;
use crate::config::Config;
use crate::extensions_api::{Event, Extension, RegisterError, extension_name};
use crate::log::LogSubscriber;
use crate::panics;
use crate::run::{Observer, Parts, received};
use crate::runtime_api::{Endpoint, EndpointError, RuntimeApi};
use crate::shutdown::exit_after;
use crate::sinks::{Lines, Stream};
use crate::telemetry_api::{Inbox, Subscription, bind, serve, subscribe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use triage_diagnosis::Function;

/// How long the reason for an early exit may take to be written, in ms.
const LAST_WORDS_MS: u32 = 1_000;

/// Why the extension cannot begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("there is nothing left to run it with: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    #[error("{0}")]
    Register(#[from] RegisterError),
}

/// Runs the extension in this process: returns never, exits with 0 after SHUTDOWN or SIGTERM, and
/// with 1 if it could not be registered.
pub fn start() -> ! {
    let clock = Clock::system();
    let lines = Lines::of_process();
    panics::tell_only_the_place(lines.clone());
    #[cfg(feature = "faults")]
    crate::faults::arm();
    let (config, warnings) = Config::from_lookup(|name| std::env::var_os(name));
    let log = LogSubscriber::new(config.log, lines.clone(), clock.clone());
    // It fails only if there is one already, and nobody else sets one in this process.
    let _ = tracing::subscriber::set_global_default(log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => leave_with_last_words(&lines, &StartError::Runtime(e)),
    };
    match runtime.block_on(begin(&config, clock, lines.clone())) {
        Ok(parts) => observe(&runtime, parts),
        Err(e) => leave_with_last_words(&lines, &e),
    }
    // Not by return: dropping the runtime may wait for ever.
    std::process::exit(0)
}

/// Says why the function will not start, whatever TRIAGE_LOG is, and exits.
fn leave_with_last_words(lines: &Lines, error: &StartError) -> ! {
    lines.push(Stream::Stderr, &format!("lambda-triage ERROR: {error}"));
    for _ in 0..LAST_WORDS_MS {
        if lines.is_drained(Stream::Stderr) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::process::exit(1)
}

/// Runs the loop to its end. If it ends in a bug, the function must not fail for that: what is
/// left to do then is to poll, until SHUTDOWN or SIGTERM.
fn observe(runtime: &Runtime, parts: Parts) {
    let mut spare = parts.extension.fresh();
    let mut end = catch_unwind(AssertUnwindSafe(|| runtime.block_on(Observer::new(parts).run())));
    while end.is_err() {
        end = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut sigterm = signal(SignalKind::terminate()).ok();
                let poll = async { while !matches!(spare.next().await, Event::Shutdown { .. }) {} };
                tokio::select! {
                    () = poll => {}
                    () = received(&mut sigterm) => {}
                }
            });
        }));
    }
}

async fn begin(config: &Config, clock: Clock, lines: Lines) -> Result<Parts, StartError> {
    let endpoint = Endpoint::parse(config.runtime_api.as_deref().unwrap_or_default())?;
    let listener = bind().await;
    let name = extension_name(std::env::args_os().next());
    let invoke_events = !config.function.managed_instances;
    let (mut extension, registration) =
        Extension::register(RuntimeApi::new(endpoint), &name, invoke_events).await?;

    let inbox = Inbox::default();
    let subscription = match listener {
        Ok(listener) => match listener.local_addr() {
            Ok(address) => {
                tokio::spawn(serve(listener, inbox.clone()));
                // In a task: registered, it must not exit for a bug on the way to the first poll.
                let spare = extension.fresh();
                let subscribing = tokio::spawn(async move {
                    let subscription = subscribe(&mut extension, address.port()).await;
                    (extension, subscription)
                });
                let bug = |_| (spare, Subscription::Without("a bug in subscribing".to_owned()));
                let subscription;
                (extension, subscription) = subscribing.await.unwrap_or_else(bug);
                subscription
            }
            Err(e) => Subscription::Without(e.to_string()),
        },
        Err(e) => Subscription::Without(format!("no port can be bound: {e}")),
    };
    match subscription {
        Subscription::Made(version) => tracing::debug!("telemetry comes in schema {version}"),
        Subscription::Without(reason) => tracing::warn!(
            "going on without telemetry, so that hardly any problem can be seen: {reason}"
        ),
    }

    let identity = &config.function;
    let function = Function {
        name: identity.name.clone().or(registration.function_name).unwrap_or_default(),
        version: identity.version.clone().or(registration.function_version).unwrap_or_default(),
        concurrent: !registration.invoke_events,
    };
    Ok(Parts {
        extension,
        inbox,
        lines,
        clock,
        function,
        settings: config.settings.clone(),
        emf: config.emf,
        flush: config.flush,
        exit_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Paper;
    use crate::stand_in::{Call, StandIn};
    use std::sync::atomic::{AtomicU32, Ordering};
    use triage_diagnosis::Timestamp;

    #[test]
    fn after_a_bug_in_the_loop_it_tells_the_place_and_polls_on_until_shutdown() {
        let api = StandIn::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let paper = Paper::default();
        let lines = paper.lines();
        let config = Config::from_lookup(|name| {
            (name == "AWS_LAMBDA_RUNTIME_API").then(|| api.address.to_string().into())
        });
        let readings = AtomicU32::new(0);
        let clock = Clock::new(move || {
            assert!(readings.fetch_add(1, Ordering::Relaxed) < 3, "as a bug would");
            Timestamp::from_ms(1_000_000)
        });
        let mut parts = runtime.block_on(begin(&config.0, clock, lines.clone())).unwrap();
        // Not this process.
        parts.exit_after = |_| {};
        for n in 0..10 {
            api.invoke(&n.to_string());
        }
        api.shutdown("spindown");
        panics::tell_only_the_place(lines.clone());
        observe(&runtime, parts);
        let _ = std::panic::take_hook();

        runtime.block_on(lines.drained(Stream::Stderr));
        let told = paper.text();
        assert!(told.contains("a bug in the extension at extension/src/start.rs:"), "{told}");
        assert!(!told.contains("as a bug would"), "{told}");
        let polls = api.seen(Call::Next).len();
        // The answer that the bug struck may be lost, and with it one poll.
        assert!((10..=12).contains(&polls), "{polls}");
    }
}
