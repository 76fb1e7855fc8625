//! What a look at the function's processes costs: `cargo bench -p lambda-triage --bench probe`.
//!
//! Runs the extension as it ships beside a function of 50 processes, 500 threads and 2,000 sockets, lets
//! invocations come near their deadlines, and prints what each stage took: at full CPU, and at the share
//! of a CPU that a function of 128 MB has (which needs root and a `cpu` control group). Prints only.

#![allow(clippy::disallowed_macros, reason = "it is there to print")]

mod group;
#[path = "../tests/running/mod.rs"]
mod running;
#[path = "../tests/stand_in/mod.rs"]
mod stand_in;

use group::Group;
use running::{BINARY, Running};
use stand_in::{Call, StandIn, now_ms};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a process of the load is to be.
const ROLE: &str = "TRIAGE_BENCH_ROLE";
/// In namespaces of its own.
const INSIDE: &str = "TRIAGE_BENCH_INSIDE";
const PROCESSES: usize = 50;
const THREADS: usize = 10;
const CONNECTIONS: usize = 1_000;
const INVOCATIONS: usize = 20;
/// The share of a CPU at 128 MB comes in parts of 20 ms, as was measured on Lambda by others, and in the
/// kernel's ordinary ones of 100 ms.
const PERIODS_MS: [u32; 2] = [20, 100];

fn main() -> Result<()> {
    match std::env::var(ROLE).as_deref() {
        Ok("runtime") => return be_the_runtime(PROCESSES, CONNECTIONS, false),
        Ok("computing") => return be_the_runtime(PROCESSES, CONNECTIONS, true),
        Ok("small") => return be_the_runtime(2, 10, true),
        Ok(_) => return be_a_child(),
        Err(_) => {}
    }
    let program = Path::new(BINARY).with_file_name("lambda-triage");
    if std::env::var_os(INSIDE).is_some() {
        return measure_all(&program);
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "lambda-triage", "--bin", "lambda-triage"])
        .status()?;
    assert!(built.success(), "lambda-triage does not build");
    // Where nothing but the load can be seen, as on Lambda.
    let inside = Command::new("unshare")
        .args(["--pid", "--net", "--fork", "--mount-proc", "--", "sh", "-c"])
        .args(["ip link set lo up && exec \"$0\""])
        .arg(std::env::current_exe()?)
        .env(INSIDE, "1")
        .status();
    if inside.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    println!("among all processes of this machine, as there can be no namespaces:");
    measure_all(&program)
}

fn measure_all(program: &Path) -> Result<()> {
    println!(
        "{:<44}{:<8}{:>22}{:>26}",
        "", "stage", "CPU, ms: median, most", "end, ms: median, most"
    );
    for (role, what) in [
        ("runtime", "50 processes, all waiting"),
        ("computing", "50 processes, one thread computing"),
        ("small", "2 processes, one thread computing"),
    ] {
        measure(program, role, None, &format!("full CPU; {what}"))?;
        for period_ms in PERIODS_MS {
            let name = format!("7.2 % of a CPU by {period_ms} ms; {what}");
            match Group::limited(period_ms) {
                Ok(group) => measure(program, role, Some(&group), &name)?,
                Err(e) => println!("{name}: skipped, as there can be no control group: {e}"),
            }
        }
    }
    Ok(())
}

/// The function; it ends with its standard input.
struct Function(Child);

impl Function {
    fn start(role: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
        assert_eq!(ready, "ready\n");
        Ok(Self(child))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn measure(program: &Path, role: &str, group: Option<&Group>, name: &str) -> Result<()> {
    let function = Function::start(role)?;
    let api = StandIn::start();
    // On which the margin depends.
    let memory_mb = if group.is_some() { "128" } else { "1769" };
    let env = [("TRIAGE_LOG", "debug"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb)];
    let mut figures: [Vec<(f64, f64)>; 3] = Default::default();
    let (mut sizes, mut lines) = (String::new(), 0);
    // A minute of the log has 20 lines.
    for _ in 0..INVOCATIONS.div_ceil(4) {
        let mut extension = Running::start_program(program, &api, &env, Stdio::piped());
        if let Some(group) = group {
            group.take_in(extension.child.id())?;
            group.take_in(function.0.id())?;
        }
        let polls = api.seen(Call::Next).len();
        for n in 1..=4 {
            // More than twice the margin.
            api.event(stand_in::invoke(&format!("{n}"), now_ms() + 600));
            api.wait_for(Call::Next, polls.max(1) + n);
            std::thread::sleep(Duration::from_millis(650));
        }
        api.shutdown("spindown");
        extension.wait();
        lines += extension.stdout().matches("\"stage\":\"imminent\"").count();
        for line in extension.stderr().lines() {
            let Some((_, told)) = line.split_once("DEBUG: the ") else { continue };
            let Some((stage, told)) = told.split_once(" stage took ") else { continue };
            let place = ["first", "second", "third"].iter().position(|s| *s == stage);
            let mut words = told.split(' ');
            let cpu: f64 = words.next().unwrap_or_default().parse()?;
            let wall: f64 = words.nth(4).unwrap_or_default().parse()?;
            figures[place.ok_or("a stage")?].push((cpu / 1e3, wall / 1e3));
            if let Some((_, size)) = told.split_once("with ") {
                sizes = size.to_owned();
            }
        }
    }
    println!("{name} ({sizes}; {lines} lines before the deadline)");
    for (stage, figures) in ["first", "second", "third"].iter().zip(&mut figures) {
        let [mut cpu, mut wall] = [|f: &(f64, f64)| f.0, |f: &(f64, f64)| f.1]
            .map(|of| figures.iter().map(of).collect::<Vec<_>>());
        cpu.sort_by(f64::total_cmp);
        wall.sort_by(f64::total_cmp);
        let of = |v: &[f64]| match v {
            [] => "-".to_owned(),
            v => format!("{:.1}, {:.1}", v[v.len() / 2], v[v.len() - 1]),
        };
        println!("{:<44}{stage:<8}{:>22}{:>26}   ({} times)", "", of(&cpu), of(&wall), cpu.len());
    }
    Ok(())
}

fn waiting_threads() {
    for _ in 1..THREADS {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
}

/// So many processes in all, and connections from itself to itself.
fn be_the_runtime(processes: usize, connections: usize, is_computing: bool) -> Result<()> {
    waiting_threads();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(TcpStream::connect(listener.local_addr()?)?);
        sockets.push(listener.accept()?.0);
    }
    let mut children = Vec::new();
    for _ in 1..processes {
        let mut command = Command::new(std::env::current_exe()?);
        // They end with the same input.
        children.push(command.env(ROLE, "child").spawn()?);
    }
    if is_computing {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    // All are there: as good as any sign, and the load is no part of what is measured.
    std::thread::sleep(Duration::from_millis(500));
    let mut stdout = std::io::stdout();
    stdout.write_all(b"ready\n")?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for mut child in children {
        child.wait()?;
    }
    Ok(())
}

fn be_a_child() -> Result<()> {
    waiting_threads();
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
