//! From exec to the loop, and out.

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::{Config, MetricsMode};
use crate::extensions_api::{Extension, RegisterError, Registration, extension_name};
use crate::log::LogSubscriber;
use crate::panics::{self, contained, contained_future};
use crate::polling::Polling;
use crate::probe::OwnEndpoints;
use crate::run::{Observer, Parts, received};
use crate::runtime_api::{Endpoint, EndpointError, RuntimeApi};
use crate::shutdown::exit_after;
#[cfg(feature = "cloudwatch")]
use crate::sinks::cloudwatch::Publisher;
use crate::sinks::{Lines, Metrics, Stream};
use crate::telemetry_api::{Inbox, Subscription, bind, serve, subscribe};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::signal::unix::{SignalKind, signal};
use triage_diagnosis::Function;

/// How long the reason for an early exit may take to be written, in ms.
const LAST_WORDS_MS: u32 = 1_000;
/// Over some five seconds, of the ten that Lambda gives the init phase.
const RUNTIME_ATTEMPTS: u32 = 15;
/// So many bugs are borne in the loop itself, outside of what is contained there.
const LOOP_PATIENCE: u32 = 8;
/// How long is waited at the end, after a bug, for what was found and for the bug to be told.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Why the extension cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("there is nothing left to run it with: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    #[error("{0}")]
    Register(#[from] RegisterError),
    #[error("there is a bug in registering, and no answer to doing it by the plainest means")]
    Bug,
}

/// Runs the extension in this process: returns never, exits with 0 after SHUTDOWN or SIGTERM, and
/// with 1 if it could not be registered, or has nothing to run on.
pub fn start() -> ! {
    let lines = Lines::of_process();
    let telling = panics::tell_only_the_place(lines.clone());
    #[cfg(feature = "faults")]
    crate::faults::arm();
    let clock = Clock::system();
    let environment = |name: &str| std::env::var_os(name);
    let (config, warnings) = contained(|| Config::from_lookup(environment))
        .unwrap_or_else(|| (Config::without_settings(environment), Vec::new()));
    let log = LogSubscriber::new(config.log, lines.clone(), clock.clone());
    // It fails only if there is one already, and nobody else sets one in this process.
    let _ = tracing::subscriber::set_global_default(log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(e) => leave_with_last_words(&lines, &StartError::Runtime(e)),
    };
    let registered = contained(|| runtime.block_on(register(&config)))
        .unwrap_or_else(|| runtime.block_on(register_plainly(&config)));
    match registered {
        Ok((extension, registration)) => {
            let spare = extension.fresh();
            let observer = contained(|| {
                let parts = prepare(&config, clock, lines.clone(), extension, registration);
                Observer::new(runtime.block_on(parts))
            });
            observe(&runtime, observer, spare);
        }
        Err(e) => leave_with_last_words(&lines, &e),
    }
    telling.finish(LAST_LINES);
    // Not by return: dropping the runtime may wait for ever.
    std::process::exit(0)
}

/// What everything runs on. Without descriptors it is tried again: to leave would fail the function.
fn runtime() -> std::io::Result<LocalRuntime> {
    let mut pause = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
    loop {
        // It needs five, and panics over some of them if they are not to be had.
        let built = [(); 3].map(|()| UnixStream::pair()).into_iter().collect::<Result<Vec<_>, _>>();
        let error = match built.map(drop) {
            Ok(()) => match contained(|| {
                // Of one thread by its type: the program is without the scheduler for several, and without
                // the library of mathematics that it needs.
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
            }) {
                Some(Ok(runtime)) => return Ok(runtime),
                Some(Err(e)) => e,
                None => std::io::ErrorKind::Other.into(),
            },
            Err(e) => e,
        };
        if pause.attempts() >= RUNTIME_ATTEMPTS {
            return Err(error);
        }
        std::thread::sleep(pause.next_pause());
    }
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

/// Runs the loop to its end. If it ends in a bug, the function must not fail for that: it is run
/// again, as far as that leads anywhere. What is left to do then is to poll, until SHUTDOWN or
/// SIGTERM.
fn observe(runtime: &LocalRuntime, observer: Option<Observer>, spare: Extension) {
    let mut polling = match observer {
        Some(mut observer) => {
            for _ in 0..LOOP_PATIENCE {
                if contained(|| runtime.block_on(observer.run())).is_some() {
                    return;
                }
            }
            if observer.is_ending() {
                return;
            }
            observer.into_polling()
        }
        None => Polling::new(spare),
    };
    tracing::warn!("there is a bug in the way of every event: nothing is diagnosed any more");
    while contained(|| runtime.block_on(poll_to_the_end(&mut polling))).is_none() {}
}

async fn poll_to_the_end(polling: &mut Polling) {
    let mut sigterm = signal(SignalKind::terminate()).ok();
    let poll = async {
        while !polling.is_over() {
            polling.ask();
            let _ = polling.event().await;
        }
    };
    tokio::select! {
        () = poll => {}
        () = received(&mut sigterm) => {}
    }
}

pub(crate) async fn register(config: &Config) -> Result<(Extension, Registration), StartError> {
    let endpoint = Endpoint::parse(config.runtime_api.as_deref().unwrap_or_default())?;
    let name = extension_name(std::env::args_os().next());
    let invoke_events = !config.function.managed_instances;
    let api = if config.function.snap_start {
        RuntimeApi::probed(endpoint)
    } else {
        RuntimeApi::new(endpoint)
    };
    Ok(Extension::register(api, &name, invoke_events).await?)
}

/// The same where there is a bug in that.
async fn register_plainly(config: &Config) -> Result<(Extension, Registration), StartError> {
    let endpoint = Endpoint::plainly(config.runtime_api.as_deref().unwrap_or_default());
    let name = extension_name(std::env::args_os().next());
    Extension::register_plainly(endpoint, &name).await.ok_or(StartError::Bug)
}

/// Everything the loop is made of. From here on there is no reason not to poll.
pub(crate) async fn prepare(
    config: &Config,
    clock: Clock,
    lines: Lines,
    mut extension: Extension,
    registration: Registration,
) -> Parts {
    let inbox = Inbox::default();
    let mut own = OwnEndpoints::of(config.runtime_api.as_deref().unwrap_or_default());
    let subscription = contained_future(listen(&mut extension, inbox.clone(), &mut own))
        .await
        .unwrap_or_else(|| Subscription::Without("a bug on the way to it".to_owned()));
    match subscription {
        Subscription::Made(version) => tracing::debug!("telemetry comes in schema {version}"),
        Subscription::Unconfirmed => tracing::warn!(
            "telemetry may not come, without which hardly any problem can be seen: the \
             subscription was answered with an empty body"
        ),
        Subscription::Without(reason) => tracing::warn!(
            "going on without telemetry, so that hardly any problem can be seen: {reason}"
        ),
    }

    let identity = &config.function;
    let function = Function {
        name: dimension(identity.name.clone().or(registration.function_name).unwrap_or_default()),
        version: identity.version.clone().or(registration.function_version).unwrap_or_default(),
        concurrent: !registration.invoke_events,
        memory_size_mb: identity.memory_size_mb,
    };
    let metrics = metrics(config, &function);
    Parts {
        extension,
        inbox,
        lines,
        clock,
        function,
        settings: config.settings.clone(),
        signatures: config.signatures.clone(),
        metrics,
        flush: config.flush,
        probe: config.probe,
        own,
        exit_after,
    }
}

/// The function's name, or nothing if CloudWatch refuses every metric that has it as a dimension. None of
/// Lambda's own names is such.
fn dimension(name: String) -> String {
    let is_one = name.is_ascii()
        && name.len() <= 1_024
        && !name.starts_with(':')
        && !name.bytes().any(|b| b.is_ascii_control());
    if !is_one {
        tracing::warn!(
            "the function's name cannot be a dimension in CloudWatch: metrics are without FunctionName"
        );
    }
    if is_one { name } else { String::new() }
}

fn metrics(config: &Config, function: &Function) -> Metrics {
    // For the lean build.
    let _ = function;
    match &config.metrics {
        MetricsMode::Embedded => Metrics::Embedded,
        MetricsMode::Off => Metrics::Off,
        #[cfg(feature = "cloudwatch")]
        MetricsMode::Sent(access) => {
            let (function_name, namespace) =
                (function.name.clone(), config.settings.namespace.clone());
            let publisher = Publisher::new(access.clone(), function_name, namespace);
            Metrics::Sent(Box::new(publisher))
        }
    }
}

/// Listens for telemetry and subscribes to it.
async fn listen(extension: &mut Extension, inbox: Inbox, own: &mut OwnEndpoints) -> Subscription {
    let bound = bind().await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    match bound {
        Ok((address, listener)) => {
            own.ports.push(address.port());
            tokio::spawn(serve(listener, inbox));
            subscribe(extension, address.port()).await
        }
        Err(e) => Subscription::Without(format!("no port can be bound: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Paper;
    use crate::stand_in::{Call, PATIENCE, StandIn};
    use std::sync::atomic::{AtomicU32, Ordering};
    use triage_diagnosis::Timestamp;

    #[test]
    fn a_name_that_cloudwatch_refuses_is_no_dimension() {
        for name in ["orders", "Order_Service-2", ""] {
            assert_eq!(dimension(name.to_owned()), name);
        }
        for name in [":orders", "bestellungen-für-alle", "a\nb", &"x".repeat(1_025)] {
            assert_eq!(dimension(name.to_owned()), "", "{name}");
        }
    }

    #[test]
    fn after_a_bug_in_the_loop_it_tells_the_place_and_polls_on_until_shutdown() {
        let api = StandIn::start();
        let runtime = runtime().unwrap();
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
        let (extension, registration) = runtime.block_on(register(&config.0)).unwrap();
        let spare = extension.fresh();
        let parts = prepare(&config.0, clock, lines.clone(), extension, registration);
        let mut parts = runtime.block_on(parts);
        // Not this process.
        parts.exit_after = |_| {};
        for n in 0..10 {
            api.invoke(&n.to_string());
        }
        api.shutdown("spindown");
        let telling = panics::tell_only_the_place(lines.clone());
        observe(&runtime, Some(Observer::new(parts)), spare);
        let _ = std::panic::take_hook();
        telling.finish(PATIENCE);
        let told = paper.text();
        assert!(told.contains("a bug in the extension at extension/src/start.rs:"), "{told}");
        assert!(!told.contains("as a bug would"), "{told}");
        let polls = api.seen(Call::Next).len();
        // The answer that the bug struck may be lost, and with it one poll.
        assert!((10..=12).contains(&polls), "{polls}");
    }
}
