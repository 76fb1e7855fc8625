//! From exec to the loop, and out.

use crate::clock::Clock;
use crate::config::Config;
use crate::extensions_api::{Event, Extension, RegisterError, extension_name};
use crate::log::LogSubscriber;
use crate::panics;
use crate::run::{Observer, Parts};
use crate::runtime_api::{Endpoint, EndpointError, RuntimeApi};
use crate::shutdown::exit_after;
use crate::sinks::{Lines, Stream};
use crate::telemetry_api::{Inbox, Subscription, bind, serve, subscribe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use triage_diagnosis::Function;

/// How long the reason for an early exit may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the extension cannot begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
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
    let (config, warnings) = Config::from_lookup(|name| std::env::var_os(name));
    let log = LogSubscriber::new(config.log, lines.clone(), clock.clone());
    // It fails only if there is one already, and nobody else sets one in this process.
    let _ = tracing::subscriber::set_global_default(log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }

    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        // No descriptors left: there is no way to register.
        Err(_) => std::process::exit(1),
    };
    let begun = runtime.block_on(async {
        let begun = begin(&config, clock, lines.clone()).await;
        if let Err(e) = &begun {
            // Whatever TRIAGE_LOG says: the function will not start because of it.
            lines.push(Stream::Stderr, &format!("lambda-triage ERROR: {e}"));
            let _ = tokio::time::timeout(LAST_WORDS, lines.drained()).await;
        }
        begun
    });
    // Never by return: dropping the runtime may wait for ever.
    let Ok(parts) = begun else { std::process::exit(1) };
    let spare = parts.extension.fresh();
    if catch_unwind(AssertUnwindSafe(|| runtime.block_on(Observer::new(parts).run()))).is_err() {
        // A bug in the loop itself. The function must not fail for it.
        runtime.block_on(poll_until_shutdown(spare));
    }
    std::process::exit(0)
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
                subscribe(&mut extension, address.port()).await
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

/// What is left to do when nothing else works.
async fn poll_until_shutdown(mut extension: Extension) {
    while !matches!(extension.next().await, Event::Shutdown { .. }) {}
}
