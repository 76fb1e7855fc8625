//! The budgets, measured: `cargo bench -p lambda-triage --bench startup`.
//!
//! Runs the extension, its lean build and the bare client (`bare-client`) in turn, each built as it ships,
//! against an API on loopback that answers at once, and prints the figures beside what they may be. Prints
//! only: how long things take depends on the machine and on what else it does.

#![allow(clippy::disallowed_macros, reason = "it is there to print")]

#[path = "../tests/running/mod.rs"]
mod running;
#[path = "../tests/stand_in/mod.rs"]
mod stand_in;

use running::{BINARY, command, rss_kib};
use stand_in::{Call, StandIn};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const STARTS: usize = 60;
const INVOCATIONS: usize = 1_000;

#[derive(Default)]
struct Figures {
    binary_bytes: u64,
    first_next: Vec<Duration>,
    /// With nothing of the program's file in memory, as at a cold start.
    uncached_next: Vec<Duration>,
    rss_kib: Vec<u64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let programs = [
        built("lambda-triage", false)?,
        built("lambda-triage", true)?,
        built("bare-client", false)?,
    ];
    let mut figures = [Figures::default(), Figures::default(), Figures::default()];
    for (program, figures) in programs.iter().zip(&mut figures) {
        figures.binary_bytes = std::fs::metadata(program)?.len();
    }
    for _ in 0..STARTS {
        for (program, figures) in programs.iter().zip(&mut figures) {
            let (first_next, rss_kib) = start(program)?;
            figures.first_next.push(first_next);
            figures.rss_kib.push(rss_kib);
            evict(program)?;
            figures.uncached_next.push(start(program)?.0);
        }
    }
    println!(
        "{:<28}{:>14}{:>14}{:>14}{:>8}{:>8}",
        "", "lambda-triage", "lean", "bare client", "ratio", "lean"
    );
    for figures in &mut figures {
        figures.first_next.sort_unstable();
        figures.uncached_next.sort_unstable();
        figures.rss_kib.sort_unstable();
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let middle = STARTS / 2;
    let row = |what: &str, figure: &dyn Fn(&Figures) -> f64| {
        let [extension, lean, bare] = [0, 1, 2].map(|n| figure(&figures[n]));
        let (ratio, lean_ratio) = (extension / bare, lean / bare);
        println!(
            "{what:<28}{extension:>14.2}{lean:>14.2}{bare:>14.2}{ratio:>8.2}{lean_ratio:>8.2}"
        );
    };
    row("binary, KB", &|figures| figures.binary_bytes as f64 / 1e3);
    row("first /next, ms, least", &|figures| ms(figures.first_next[0]));
    row("first /next, ms, median", &|figures| ms(figures.first_next[middle]));
    row("the same uncached, least", &|figures| ms(figures.uncached_next[0]));
    row("the same uncached, median", &|figures| ms(figures.uncached_next[middle]));
    row("RSS after first /next, KB", &|figures| figures.rss_kib[middle] as f64);
    println!("budgets: binary 1,800 KB; first /next 1.5 times; RSS 2 times\n");
    healthy(&programs[0])?;
    logs(&programs[0])
}

/// Builds a package's program alone: a bench and its library are built with the features that all
/// tests need. The lean one has a folder of its own, target/lean.
fn built(package: &str, lean: bool) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let release = Path::new(BINARY).parent().ok_or("no folder of the build")?;
    let target = release.parent().ok_or("no folder of builds")?;
    let target = if lean { target.join("lean") } else { target.to_owned() };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--package", package, "--bin", package, "--target-dir"]);
    cargo.arg(&target);
    if lean {
        cargo.arg("--no-default-features");
    }
    assert!(cargo.status()?.success(), "{package} does not build");
    Ok(target.join("release").join(package))
}

/// Has the system forget what it has read of a program, as far as nobody runs it.
fn evict(program: &Path) -> Result<(), std::io::Error> {
    let file = std::fs::File::open(program)?;
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}

/// One start up to the first /next: how long it takes, and the memory that it has then, in KiB.
fn start(program: &Path) -> Result<(Duration, u64), std::io::Error> {
    let api = StandIn::start();
    let mut command = command(program, &api);
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let first = api.wait_for(Call::Next, 1);
    // What follows the first poll is part of the resting state.
    std::thread::sleep(Duration::from_millis(20));
    let rss_kib = rss_kib(child.id());
    api.shutdown("spindown");
    child.wait()?;
    Ok((first.at - begun, rss_kib))
}

/// Healthy invocations: how soon after INVOKE the next event is asked for, and what is printed.
fn healthy(program: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let api = StandIn::start();
    let child = command(program, &api).spawn()?;
    let pid = child.id();
    api.wait_for(Call::Next, 1);
    let to = api.telemetry_address();
    let mut stream = std::net::TcpStream::connect(to)?;
    let mut delays = Vec::with_capacity(INVOCATIONS);
    for n in 0..INVOCATIONS {
        let id = format!("00000000-0000-4000-8000-{n:012}");
        api.invoke(&id);
        let asked = api.wait_for(Call::Next, n + 2);
        delays.push(asked.at.saturating_duration_since(api.answered_at()));
        stand_in::post_on(&mut stream, healthy_telemetry(&id, n).as_bytes());
    }
    let rss = rss_kib(pid);
    api.shutdown("spindown");
    let output = child.wait_with_output()?;
    delays.sort_unstable();
    println!("over {INVOCATIONS} healthy invocations:");
    println!(
        "  /next asked for after INVOKE, ms: median {:.3}, 99th percentile {:.3}, most {:.3}",
        delays[INVOCATIONS / 2].as_secs_f64() * 1e3,
        delays[INVOCATIONS * 99 / 100].as_secs_f64() * 1e3,
        delays[INVOCATIONS - 1].as_secs_f64() * 1e3,
    );
    println!("  bytes printed: {}", output.stdout.len() + output.stderr.len());
    println!("  RSS at the end, KB: {rss}");
    Ok(())
}

/// Logs in which nothing is wrong: what reading them costs, the socket included.
fn logs(program: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let text = "[INFO]\\t2026-03-01T12:00:00.000Z\\t79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01\\torder 17 \
                stored in table orders with 17 items for customer 99 by payment provider visa";
    let object =
        r#"{"level":"INFO","message":"order 17 stored","items":[1,2,3],"customer":{"id":99}}"#;
    let numbers: Vec<String> = (0..150_000).map(|n| n.to_string()).collect();
    let api = StandIn::start();
    let mut child = command(program, &api).spawn()?;
    api.wait_for(Call::Next, 1);
    let mut stream = std::net::TcpStream::connect(api.telemetry_address())?;
    println!("\nreading healthy logs, ms of CPU a MB:");
    for (what, record, records, deliveries) in [
        ("text", format!("\"{text}\""), 3_500, 50),
        ("JSON objects", object.to_owned(), 5_000, 50),
        ("one JSON record of 0.9 MB", format!("[{}]", numbers.join(",")), 1, 20),
    ] {
        let before = cpu(child.id())?;
        let mut bytes = 0;
        for n in 0..deliveries {
            let time = format!("2026-03-01T12:{:02}:{:02}.000Z", n / 60, n % 60);
            let record = format!(r#"{{"time":"{time}","type":"function","record":{record}}}"#);
            let body = format!("[{}]", vec![record; records].join(","));
            bytes += body.len();
            stand_in::post_on(&mut stream, body.as_bytes());
        }
        // The answer to the last delivery comes before the work on it.
        std::thread::sleep(Duration::from_millis(300));
        let spent = cpu(child.id())? - before;
        println!("  {what}: {:.2}", spent.as_secs_f64() * 1e3 / (bytes as f64 / 1e6));
    }
    api.shutdown("spindown");
    child.wait()?;
    Ok(())
}

/// The time that the main thread has run.
fn cpu(pid: u32) -> Result<Duration, Box<dyn std::error::Error>> {
    let schedstat = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let ns = schedstat.split_whitespace().next().ok_or("no schedstat")?.parse()?;
    Ok(Duration::from_nanos(ns))
}

fn healthy_telemetry(id: &str, n: usize) -> String {
    let time = |ms: usize| format!("2022-10-12T00:{:02}:{:02}.{ms:03}Z", n / 60 % 60, n % 60);
    format!(
        r#"[{{"time":"{}","type":"platform.start","record":{{"requestId":"{id}","version":"$LATEST"}}}},{{"time":"{}","type":"function","record":"handled order {n}\n"}},{{"time":"{}","type":"platform.runtimeDone","record":{{"requestId":"{id}","status":"success","metrics":{{"durationMs":12.5,"producedBytes":26}}}}}},{{"time":"{}","type":"platform.report","record":{{"requestId":"{id}","status":"success","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":42}}}}}}]"#,
        time(0),
        time(5),
        time(12),
        time(15)
    )
}
