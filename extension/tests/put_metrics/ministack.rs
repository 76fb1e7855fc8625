//! ministack, a stand-in for AWS, on loopback; and boto3 to read what it keeps.

use crate::runs::{Counted, Tally};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const REGION: &str = "eu-west-1";

/// The server; it ends with the last test that holds it.
pub(crate) struct Ministack {
    child: Child,
    python: String,
    /// Which certificates it has, if it speaks TLS.
    authority: Option<PathBuf>,
    pub(crate) address: SocketAddr,
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server that all tests share; None, after a line that says why, where it cannot be had. With
/// `TRIAGE_TEST_ALL` set that is a failure.
pub(crate) fn ministack() -> Option<Arc<Ministack>> {
    static SHARED: Mutex<Weak<Ministack>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let python = python()?;
    let started = Arc::new(start(python, None));
    *shared = Arc::downgrade(&started);
    Some(started)
}

/// A Python that has what it takes.
fn python() -> Option<String> {
    static PYTHON: LazyLock<Option<String>> = LazyLock::new(|| {
        let python = std::env::var("TRIAGE_TEST_SERVICES").unwrap_or_else(|_| "python3".to_owned());
        let probe = Command::new(&python).args(["-c", "import ministack, cbor2, boto3"]).output();
        let missing = match probe {
            Ok(probe) if probe.status.success() => return Some(python),
            Ok(probe) => {
                let error = String::from_utf8_lossy(&probe.stderr).into_owned();
                error.lines().last().unwrap_or("it failed").to_owned()
            }
            Err(error) => error.to_string(),
        };
        skip(&format!("what ministack takes, since {python} lacks it: {missing}"));
        None
    });
    PYTHON.clone()
}

/// Says what is left out. With `TRIAGE_TEST_ALL` set that is a failure.
fn skip(what: &str) {
    let all = std::env::var_os("TRIAGE_TEST_ALL").is_some_and(|value| !value.is_empty());
    assert!(!all, "left out: {what}");
    // Not eprintln, which the test harness would capture.
    let _ = std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes());
}

fn start(python: String, certificates: Option<&Certificates>) -> Ministack {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tls = certificates.map(|certificates| {
        let path = |name| certificates.folder.path().join(name).into_os_string();
        let (cert, key) = (path("server.pem"), path("server.key"));
        [("USE_SSL", "1".into()), ("MINISTACK_SSL_CERT", cert), ("MINISTACK_SSL_KEY", key)]
    });
    let child = Command::new(&python)
        .args(["-m", "ministack"])
        .envs(tls.into_iter().flatten())
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", address.port().to_string())
        .env("LOG_LEVEL", "ERROR")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let authority = certificates.map(Certificates::authority);
    let mut server = Ministack { child, python, authority, address };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(server.child.try_wait().unwrap().is_none(), "ministack has ended");
        assert!(begun.elapsed() < PATIENCE, "ministack does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

impl Ministack {
    /// Another server, that speaks TLS.
    pub(crate) fn another_with_tls(&self, certificates: &Certificates) -> Self {
        start(self.python.clone(), Some(certificates))
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What CloudWatch would show of a namespace.
    pub(crate) fn read(&self, namespace: &str) -> Tally {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/put_metrics/read_metrics.py");
        let read = Command::new(&self.python)
            .arg(script)
            .args([&self.url(), REGION, namespace])
            .envs(self.authority.iter().map(|path| ("AWS_CA_BUNDLE", path)))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(read.status.success(), "{:?}", read.status);
        let metrics: Vec<serde_json::Value> = serde_json::from_slice(&read.stdout).unwrap();
        metrics
            .iter()
            .map(|metric| {
                let text = |name: &str| metric[name].as_str().unwrap().to_owned();
                let number = |name: &str| metric[name].as_f64().unwrap();
                let counted = Counted {
                    sum: number("sum"),
                    samples: number("samples"),
                    max: number("max"),
                    unit: text("unit"),
                };
                ((text("name"), text("function")), counted)
            })
            .collect()
    }
}

/// An authority of a test's own and what it says of 127.0.0.1, made by openssl.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// None, after a line that says so, without openssl.
    pub(crate) fn make() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let names = folder.path().join("names");
        std::fs::write(names, "subjectAltName=IP:127.0.0.1\n").unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for arguments in [
            format!("req -x509 {key} -subj /CN=authority -days 2 -keyout ca.key -out ca.pem"),
            format!("req {key} -subj /CN=server -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem"
                .to_owned(),
        ] {
            let mut openssl = Command::new("openssl");
            openssl.args(arguments.split(' ')).current_dir(folder.path());
            let Ok(made) = openssl.output() else {
                skip("TLS, since there is no openssl to make certificates");
                return None;
            };
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Some(Self { folder })
    }

    /// The file with the certificate of the authority.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}
