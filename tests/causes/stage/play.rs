//! Plays the invocations in the local Lambda.

use crate::order::{Order, Told, address, port};
use crate::{Outcome, peers};
use lambda_sandbox::{
    Config, ExtensionConfig, FunctionConfig, Invocation, LogSource, LogStream, Sandbox,
    ShutdownReason,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(crate) fn run(order: &Order) -> Outcome<()> {
    peers::silent((address::LOOPBACK, port::SILENT_ON_LOOPBACK))?;
    if order.is_adapted {
        peers::adapt((address::LOOPBACK, port::ADAPTED));
    }
    let config = config(order)?;
    let told = tokio::runtime::Runtime::new()?.block_on(play(order, config))?;
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

async fn play(order: &Order, config: Config) -> Outcome<Told> {
    let name = config.extensions[0].name();
    let sandbox = Sandbox::start(config).await?;
    let (last, before) = order.events.split_last().ok_or("no event")?;
    for event in before {
        sandbox.invoke(Invocation::new(event.to_string())).await?;
    }
    println!("begun");
    std::io::stdout().flush()?;
    let outcome = sandbox.invoke(Invocation::new(last.to_string())).await?;
    sandbox.shutdown(ShutdownReason::Spindown).await;

    let mut told = Told {
        request_id: outcome.request_id.clone(),
        status: outcome.status.as_str().to_owned(),
        duration_ms: outcome.duration_ms,
        ..Told::default()
    };
    for event in sandbox.log() {
        match (event.source, event.stream) {
            (LogSource::Extension(by), LogStream::Stdout) if by == name => {
                told.lines.push((since_ms(outcome.started, event.time), event.text));
            }
            (LogSource::Extension(by), _) if by == name => told.complaints.push(event.text),
            (LogSource::Function, _) => told.function_log.push(event.text),
            _ => {}
        }
    }
    Ok(told)
}

fn since_ms(begin: SystemTime, time: SystemTime) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(begin).map_or_else(|before| -ms(before.duration()), ms)
}

fn config(order: &Order) -> Outcome<Config> {
    let mut command = order.command.clone();
    let mut extension = order.extension.clone();
    if !order.control_groups.is_empty() {
        let function = order.directory.join("function");
        entering(order, &function, "\"$@\"")?;
        command.insert(0, function.to_string_lossy().into_owned());
        // Under its own name, which is the one that it registers.
        let own_name = extension.file_name().ok_or("no name")?;
        let entrance = order.directory.join("extensions").join(own_name);
        entering(order, &entrance, &format!("'{}'", extension.display()))?;
        extension = entrance;
    }
    let mut extensions = vec![ExtensionConfig::new(extension)];
    if let Some((path, env)) = &order.other_extension {
        extensions.push(ExtensionConfig { env: env.clone(), ..ExtensionConfig::new(path) });
    }
    Ok(Config {
        function: FunctionConfig {
            name: demo::FUNCTION.to_owned(),
            handler: "trouble.handler".to_owned(),
            env: order.env.clone(),
            timeout: Duration::from_secs(order.timeout_s),
            memory_mb: order.memory_mb,
            task_root: Some(order.task_root.clone()),
            ..FunctionConfig::new(command)
        },
        extensions,
        // An extension has to tell the function's connection to it from others.
        has_one_endpoint: true,
        ..Config::default()
    })
}

/// A script that becomes the program, within the control groups.
fn entering(order: &Order, path: &Path, program: &str) -> Outcome<()> {
    let mut script = "#!/bin/sh\n".to_owned();
    for group in &order.control_groups {
        let processes: PathBuf = group.join("cgroup.procs");
        writeln!(script, "echo 0 > '{}'", processes.display())?;
    }
    writeln!(script, "exec {program}")?;
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    std::fs::write(path, script)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?;
    Ok(())
}
