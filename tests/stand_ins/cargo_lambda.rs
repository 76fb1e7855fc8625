//! `cargo lambda watch`, with a real function.
//!
//! Its address has a scheme and a path, its deadlines are 0, the subscription is answered 200 with
//! nothing in it and nothing is ever delivered, and it ends without a SHUTDOWN. So what can be told
//! is what an INVOKE event alone tells: that there are many.

use crate::running::{self, Running};
use crate::stand_in::{PATIENCE, StandIn, read_message};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program, or None, after a line that says why, where there is none. With `TRIAGE_TEST_ALL`
/// set that is a failure.
fn program() -> Option<String> {
    let program =
        std::env::var("TRIAGE_TEST_CARGO_LAMBDA").unwrap_or_else(|_| "cargo-lambda".to_owned());
    let probe = Command::new(&program).args(["lambda", "--version"]).output();
    let missing = match probe {
        Ok(probe) if probe.status.success() => return Some(program),
        Ok(probe) => format!("it ended with {}", probe.status),
        Err(error) => error.to_string(),
    };
    // Not eprintln, which the test harness would capture.
    let line = format!("skipped: cargo lambda watch, since {program} cannot be run: {missing}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    assert!(!all, "{line}");
    None
}

/// The server with its project, a function, and nothing else.
struct Watch {
    server: Running,
    address: SocketAddr,
    function: Running,
    _project: tempfile::TempDir,
}

impl Watch {
    fn start(program: &str) -> Self {
        // It wants to be in a cargo project, though it builds nothing.
        let project = tempfile::tempdir().unwrap();
        std::fs::create_dir(project.path().join("src")).unwrap();
        std::fs::write(project.path().join("src/main.rs"), "fn main() {}\n").unwrap();
        let manifest = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\n[workspace]\n";
        std::fs::write(project.path().join("Cargo.toml"), manifest).unwrap();

        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let mut watch = Command::new(program);
        watch
            .args(["lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", &port])
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut server = Running::of(watch);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(server.is_running() && begun.elapsed() < PATIENCE, "{}", server.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
        let function = Self::function(address);
        Self { server, address, function, _project: project }
    }

    fn function(address: SocketAddr) -> Running {
        let program = demo::problem_maker().unwrap().remove(0);
        let mut function = command(Path::new(&program), &format!("http://{address}/.rt/orders"));
        function
            .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "orders")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "1");
        Running::of(function)
    }

    fn extension(&self, variables: &[(&str, &str)]) -> Running {
        let mut extension =
            command(running::BINARY.as_ref(), &format!("http://{}/.rt", self.address));
        extension.envs(variables.iter().copied());
        Running::of(extension)
    }

    /// The status and the body that the caller gets.
    fn invoke(&self, event: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = "/2015-03-31/functions/orders/invocations";
        let length = event.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{event}"
        )
        .unwrap();
        let (status, _, body) = read_message(&mut BufReader::new(stream)).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

fn command(program: &Path, address: &str) -> Command {
    // Its own address goes over the stand-in's, which nobody calls.
    let mut command = running::command(program, &StandIn::start());
    command.env("AWS_LAMBDA_RUNTIME_API", address);
    command
}

#[test]
fn it_watches_a_function_and_tells_what_invoke_events_show() {
    let Some(program) = program() else { return };
    let watch = Watch::start(&program);
    // `end` waits for what never comes here; a deadline of 0 must not let it.
    let settings = [("TRIAGE_RECURSION_RATE", "3/60"), ("TRIAGE_FLUSH", "end")];
    let mut extension = watch.extension(&settings);
    extension.wait_for_stderr("telemetry may not come");

    // How soon its events reach an extension is not ours to say.
    for n in 0.. {
        assert_eq!(watch.invoke(r#"{"problem":"healthy"}"#).1, r#"{"problem":null}"#);
        let told = extension.stdout();
        if told.contains(r#""problem":"recursion""#) {
            assert!(told.contains(r#""stage":"suspected""#), "{told}");
            break;
        }
        assert!(n < 200, "{told}{}", extension.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
    let (status, body) = watch.invoke(r#"{"problem":"kms-disabled"}"#);
    assert!(status.contains("500") && body.contains("DisabledException"), "{status} {body}");

    assert!(extension.is_running());
    extension.sigterm();
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(extension.stderr().lines().count(), 1, "{}", extension.stderr());
}

#[test]
fn it_outlives_the_server_without_a_word_too_many_and_leaves_when_told_to() {
    let Some(program) = program() else { return };
    let mut watch = Watch::start(&program);
    let mut extension = watch.extension(&[]);
    extension.wait_for_stderr("telemetry may not come");
    assert_eq!(watch.invoke(r#"{"problem":"healthy"}"#).1, r#"{"problem":null}"#);
    let _ = watch.function.child.kill();
    watch.server.child.kill().unwrap();
    watch.server.wait();
    extension.wait_for_stderr("asking again");
    assert!(extension.is_running());
    extension.sigterm();
    assert_eq!(extension.wait().0.code(), Some(0));
    assert_eq!(extension.stdout(), "");
    assert_eq!(extension.stderr().lines().count(), 2, "{}", extension.stderr());
}
