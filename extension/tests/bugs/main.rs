//! A bug in each place in turn: what it costs, and what it must not.
//!
//! The extension is built with its feature `faults` (extension/src/faults.rs) and panics where it
//! is told: at the first visit of a place, at a later one, at every one. Whatever the place, it
//! registers, asks for the next event after each INVOKE, leaves with 0 after SHUTDOWN, does not
//! spin, and tells where the bug is without a word of the panic's message. What does not rest on
//! the place is diagnosed as ever, each problem once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod invocations;
#[path = "../metrics_api/mod.rs"]
mod metrics_api;
mod places;
#[path = "../running/mod.rs"]
mod running;
#[path = "../stand_in/mod.rs"]
mod stand_in;

use invocations::{INVOCATIONS, SHORT_MS, delivery, expected, invoke, log, request_id};
use lambda_sandbox::cargo_bin_with_faults;
use metrics_api::{MetricsApi, Sums};
use places::{Cost, LOG, NOTHING, ONE_FINDING, PLACES, PROBED, Peer, Place, SENDING, all_of};
use running::{Running, cpu_ticks};
use serde_json::Value;
use stand_in::{Call, StandIn, read_message};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Cases that run at once: they mostly wait.
const AT_ONCE: usize = 8;
/// So many cases may fail once, if they hold when they are tried again.
const MAX_NOISE: usize = 3;
/// In the message of every panic made on demand.
const SECRET: &str = "hunter2";
/// Lambda kills an extension 2 s after SHUTDOWN; the extension's own budget is 1.5 s. Loose, for a
/// busy machine.
const EXIT: Duration = Duration::from_secs(5);
/// From an INVOKE to the next poll. Loose for the same reason; a wait for runtimeDone is shorter.
const POLL: Duration = Duration::from_secs(3);

/// A file of signatures with one for each invocation.
const SIGNATURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bugs/signatures.toml");

/// No bug at all.
const NO_PLACE: &str = "";

/// Places from which on nothing is written to standard error any more.
const MUTE: [&str; 4] = ["hook", "lines", "push", "write"];

/// Places where telemetry is lost, and counted.
const UNREADABLE: [&str; 4] = ["delivery", "log view", "record", "scan"];
/// Places that every event must pass on its way: with a bug there, polling is all that is left.
const HOPELESS: [&str; 3] = ["input", "loop", "polling"];

#[derive(Debug)]
struct Case {
    bugs: String,
    place: String,
    is_always: bool,
    cost: Cost,
}

fn cases() -> Vec<Case> {
    let none =
        Case { bugs: String::new(), place: NO_PLACE.to_owned(), is_always: false, cost: NOTHING };
    let mut cases = vec![none];
    let mut add = |name: &str, later: Option<u32>, once: Cost, always: Cost| {
        let visits = [Some("1".to_owned()), later.map(|n| n.to_string()), Some("1+".to_owned())];
        let visits: BTreeSet<String> = visits.into_iter().flatten().collect();
        for visit in visits {
            let is_always = visit.ends_with('+');
            let cost = if is_always { always } else { once };
            let bugs = match name {
                // It is passed on the way of another.
                "hook" => format!("record:1,hook:{visit}"),
                _ => format!("{name}:{visit}"),
            };
            cases.push(Case { bugs, place: name.to_owned(), is_always, cost });
        }
    };
    for Place { name, later, once, always } in PLACES {
        add(name, *later, *once, *always);
    }
    for problem in triage_diagnosis::problems().chain(["custom:declined"]) {
        let own: &'static [&'static str] = Vec::leak(vec![problem]);
        add(&format!("detector {problem}"), Some(7), ONE_FINDING, all_of(own));
    }
    cases
}

/// Delivers as the platform does: again, if there is no answer.
fn deliver(to: SocketAddr, body: &[u8]) {
    for _ in 0..3 {
        let mut stream = TcpStream::connect(to).unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        // It may be hung up in the middle.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        stream.set_read_timeout(Some(stand_in::PATIENCE)).unwrap();
        if read_message(&mut BufReader::new(stream)).is_some() {
            return;
        }
    }
}

/// How many of each problem were told, as its metric has it. In a burst some are folded, and a line
/// whose invocation's beginning a bug has taken bears no request id; but none may be told twice.
fn told(stdout: &str) -> Result<BTreeMap<String, usize>, String> {
    let mut told = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for line in stdout.lines() {
        let line: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        // Metrics alone have none.
        let Some(problem) = line["diagnosis"]["problem"].as_str().map(str::to_owned) else {
            continue;
        };
        // None where it tells of more signs of what was told.
        let Some(count) = line["Problems"].as_u64() else { continue };
        if let Some(id) = line["requestId"].as_str()
            && !ids.insert((problem.clone(), id.to_owned()))
        {
            return Err(format!("{problem} of {id} was told twice"));
        }
        *told.entry(problem).or_default() += usize::try_from(count).unwrap();
    }
    Ok(told)
}

fn check_told(stdout: &str, cost: Cost) -> Result<(), String> {
    let (expected, told) = (expected(), told(stdout)?);
    let (mut wrong, mut lacking) = (Vec::new(), 0);
    for problem in expected.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
        let count = |counts: &BTreeMap<_, _>| counts.get(problem).copied().unwrap_or_default();
        let (due, told) = (count(&expected), count(&told));
        let may_lack = match cost.problems.contains(&problem.as_str()) {
            true => due,
            false => cost.invocations,
        };
        let may_exceed = match problem.as_str() {
            // What a bug makes unreadable is one more of these.
            "telemetry-dropped" => usize::MAX,
            // A line is told without a request id, and the next one of its invocation with it: now
            // and then, where no event or record tells of any invocation.
            problem if LOG.contains(&problem) => {
                cost.invocations.max(cost.findings).max(cost.problems.len())
            }
            _ => 0,
        };
        let lacks = due.saturating_sub(told + may_lack);
        lacking += lacks;
        if lacks > 0 || told > due.saturating_add(may_exceed) {
            wrong.push(format!("{told} of {due} {problem}"));
        }
    }
    if lacking > 0 && lacking <= cost.findings {
        return Ok(());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("told: {}", wrong.join(", "))) }
}

/// Waits until it was told that the time of this invocation runs out, or that time is over.
fn wait_for_the_deadline(extension: &Running, n: usize) {
    let end = Instant::now() + Duration::from_millis(SHORT_MS);
    let is_told = || {
        let stdout = extension.stdout();
        stdout.lines().any(|line| line.contains("imminent") && line.contains(&request_id(n)))
    };
    // The second stage follows the line.
    while Instant::now() < end && !(is_told() && extension.stderr().contains("a bug in")) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(program: &Path, case: &Case) -> Result<(), String> {
    let (api, metrics) = (StandIn::start(), MetricsApi::start());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = peer(&case.place);
    let url = match peer {
        Some(Peer::Takes) => metrics.url(),
        Some(Peer::Silent) => format!("http://{}", silent.local_addr().unwrap()),
        Some(Peer::Refuses) | None => "http://127.0.0.1:1".to_owned(),
    };
    let mut variables = vec![
        ("TRIAGE_FAULT_BUGS", case.bugs.as_str()),
        ("TRIAGE_METRICS", "cloudwatch"),
        ("TRIAGE_SIGNATURES", SIGNATURES),
        ("AWS_ENDPOINT_URL", &url),
    ];
    // Without these there is one warning at the least, so that the log is passed.
    if peer.is_some() {
        variables.push(("AWS_REGION", "eu-west-1"));
        variables.push(("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"));
        variables.push(("AWS_SECRET_ACCESS_KEY", "example"));
    }
    let mut extension = Running::start_program(program, &api, &variables, Stdio::piped());
    api.wait_for(Call::Next, 1);
    let listens = !api.seen(Call::Subscribe).is_empty();
    let to = listens.then(|| api.telemetry_address());
    let mut slowest = Duration::ZERO;
    for n in 0..INVOCATIONS {
        let asked = api.seen(Call::Next).len();
        let is_probed = [0, 2].contains(&n) && PROBED.contains(&case.place.as_str());
        api.event(invoke(n, if is_probed { SHORT_MS } else { 3_000 }));
        if is_probed {
            wait_for_the_deadline(&extension, n);
        }
        let begun = Instant::now();
        if let Some(to) = to {
            deliver(to, delivery(n).as_bytes());
            // One more sign of what is told by then.
            deliver(to, log(n, "KMSThrottlingException").as_bytes());
            match case.place.as_str() {
                "handle malformed" => deliver(to, format!(r#"[{{"type":{n}}}]"#).as_bytes()),
                "handle dropped" if n == 0 => deliver(to, &vec![b'0'; 1024 * 1024 + 1]),
                _ => {}
            }
        }
        slowest = slowest.max(api.wait_for(Call::Next, asked + 1).at - begun);
    }
    if slowest > POLL {
        return Err(format!("/next was asked for after {slowest:?}"));
    }
    if !extension.is_running() {
        return Err("it has ended".to_owned());
    }
    if case.is_always {
        const WINDOW: Duration = Duration::from_millis(300);
        let before = cpu_ticks(extension.child.id());
        std::thread::sleep(WINDOW);
        let ticks = cpu_ticks(extension.child.id()) - before;
        if ticks > 4 {
            return Err(format!("it spins: {ticks} ticks in {WINDOW:?}"));
        }
    }
    api.shutdown("spindown");
    let (status, taken) = extension.wait();
    if status.code() != Some(0) || taken > EXIT {
        return Err(format!("it ended with {status} after {taken:?}"));
    }
    let polls = api.seen(Call::Next).len();
    if polls != INVOCATIONS + 1 {
        return Err(format!("{polls} polls for {INVOCATIONS} INVOKEs and SHUTDOWN"));
    }
    let (stdout, stderr) = (extension.stdout(), extension.stderr());
    let says_so = stdout.contains(r#""problem":"telemetry-dropped""#);
    if case.is_always && UNREADABLE.contains(&case.place.as_str()) && !says_so {
        return Err("nothing is said of what could not be read".to_owned());
    }
    let is_mute = case.is_always && MUTE.contains(&case.place.as_str());
    let is_told = stderr.contains("a bug in the extension at extension/");
    if !is_mute && is_told == (case.place == NO_PLACE) {
        return Err("the place was not passed, or not told".to_owned());
    }
    if stdout.contains(SECRET) || stderr.contains(SECRET) {
        return Err("the message was told".to_owned());
    }
    let gives_up = stderr.contains("nothing is diagnosed any more");
    if gives_up != (case.is_always && HOPELESS.contains(&case.place.as_str())) {
        return Err(format!("it {} diagnosing", if gives_up { "stopped" } else { "went on" }));
    }
    let registrations = api.seen(Call::Register).len();
    let is_again = ["answer:1", "answer:1+"].contains(&case.bugs.as_str());
    if registrations != 1 + usize::from(is_again) {
        return Err(format!("it registered {registrations} times"));
    }
    if stderr.lines().count() > 20 {
        return Err(format!("{} lines on standard error", stderr.lines().count()));
    }
    check_told(&stdout, case.cost).map_err(|e| format!("{e}\n{stderr}"))?;
    let is_sent = peer.is_some();
    if is_sent { check_counted(&stdout, &metrics.taken(), case) } else { Ok(()) }
}

/// To whom metrics are sent with a bug there; to nobody with most.
fn peer(place: &str) -> Option<Peer> {
    let sending = SENDING.iter().find(|(name, _)| *name == place);
    sending.map(|(_, peer)| *peer).or((place == NO_PLACE).then_some(Peer::Takes))
}

/// The metrics of the lines that `is_one` picks.
fn sums(stdout: &str, is_one: impl Fn(&Value) -> bool) -> Sums {
    let mut sums = Sums::new();
    let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for line in lines.filter(is_one) {
        let metrics = line.as_object().unwrap().iter();
        // All else has a small initial, or is a text.
        let metrics = metrics.filter(|(name, _)| name.starts_with(|c: char| c.is_uppercase()));
        for (name, value) in metrics.filter(|(_, value)| !value.is_string()) {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let sum: f64 = values.iter().map(|value| value.as_f64().unwrap()).sum();
            *sums.entry(name.clone()).or_default() += sum;
        }
    }
    sums
}

/// What diagnoses count is with the API or in a line with EMF, and nowhere twice.
fn check_counted(stdout: &str, taken: &Sums, case: &Case) -> Result<(), String> {
    let diagnosed = sums(stdout, |line| line["diagnosis"].is_object());
    let embedded = sums(stdout, |line| line["_aws"].is_object());
    let (may_lack, may_double) = match (case.place.as_str(), case.is_always) {
        (NO_PLACE, _) if !embedded.is_empty() => return Err(format!("embedded: {embedded:?}")),
        ("metrics line" | "give up metrics", true) => (true, false),
        // That the API has taken them is not heard of.
        ("metrics answer", true) => (false, true),
        _ => (false, false),
    };
    for (name, due) in &diagnosed {
        let of = |sums: &Sums| sums.get(name).copied().unwrap_or_default();
        let (sent, written) = (of(taken), of(&embedded));
        let found = sent + written;
        if found < *due && !may_lack || found > *due + if may_double { sent } else { 0.0 } {
            return Err(format!("{name}: {sent} sent and {written} written of {due}"));
        }
    }
    Ok(())
}

/// Checks a case: what is wrong, if anything.
fn problem(program: &Path, case: &Case) -> Option<String> {
    let checked = std::panic::catch_unwind(|| check(program, case));
    let problem = checked.unwrap_or_else(|_| Err("it hung or was killed (see above)".to_owned()));
    Some(format!("{}: {}", case.bugs, problem.err()?))
}

/// Runs all of them, so many at once: the failures.
fn run(program: &Path, cases: Vec<Case>) -> Vec<(Case, String)> {
    let (left, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().pop() else { break };
                    if let Some(problem) = problem(program, &case) {
                        failures.lock().unwrap().push((case, problem));
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

#[test]
fn a_bug_costs_what_rests_on_its_place_and_nothing_else() {
    let program = cargo_bin_with_faults("lambda-triage").unwrap();
    let only = std::env::var("TRIAGE_TEST_BUGS").unwrap_or_default();
    let cases = cases().into_iter().filter(|case| case.bugs.contains(&only)).collect();
    let mut failures = run(&program, cases);
    // A busy machine may be too late for what a case makes happen: a few are tried again, alone.
    if failures.len() <= MAX_NOISE {
        failures.retain(|(case, _)| (0..2).any(|_| problem(&program, case).is_some()));
    }
    let list: Vec<_> = failures.iter().map(|(_, problem)| problem.as_str()).collect();
    assert!(list.is_empty(), "{} failed:\n{}", list.len(), list.join("\n"));
}

/// The places of the code, by what it says: in every source file of both crates.
fn places_in_the_code() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("diagnosis/src")];
    let mut places = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for part in text.split("fault_point!(").skip(1) {
                let name = part.split('"').nth(1).unwrap();
                let is_new = places.insert(name.to_owned());
                assert!(is_new, "{name:?} is the name of two places");
            }
        }
    }
    places
}

#[test]
fn every_place_in_the_code_is_tried() {
    let tried = PLACES.iter().map(|place| place.name).chain(["detector {}"]);
    let tried: BTreeSet<String> = tried.map(str::to_owned).collect();
    assert_eq!(tried.len(), PLACES.len() + 1);
    assert_eq!(tried, places_in_the_code());
}
