//! Stages are built here, one for each plan.

use crate::groups::Group;
use crate::order::{Order, Told};
use crate::plan::{Asked, Plan};
use crate::runtime::{Commands, OrLeftOut, Runtime, functions, output};
use lambda_sandbox::{cargo_bin_as_shipped, cargo_example};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// What an environment may take longer than its last invocation: both initializations of a function at
/// the smallest quota, and the invocations before.
const LIMIT: Duration = Duration::from_secs(45);

/// Where each order has a folder.
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// What stages are built with.
#[derive(Debug)]
pub(crate) struct Staging {
    /// The program that makes the namespaces, with its arguments.
    unshare: Vec<&'static str>,
    stage: PathBuf,
    extension: PathBuf,
    other_extension: PathBuf,
    commands: Commands,
    /// What may be there or not.
    pub(crate) has_cpu_quota: bool,
    pub(crate) has_memory_limit: bool,
    pub(crate) has_disk: bool,
    pub(crate) has_far_peer: bool,
}

impl Staging {
    /// Builds the programs and finds out what can be made here. None, after a line that says so, where
    /// there are no namespaces.
    pub(crate) fn set_up() -> Option<Self> {
        // Without privileges, in a user namespace where that is allowed.
        let own = ["--net", "--mount"].to_vec();
        let mapped = [&["--user", "--map-root-user"][..], &own].concat();
        let is_root = output("id", &["-u"]).is_ok_and(|uid| uid == "0");
        let unshare = if is_root { own } else { mapped };
        output("unshare", &[&unshare[..], &["ip", "link", "set", "lo", "up"]].concat())
            .or_not_allowed("the causes of timeouts", "no network namespace to make them in")?;
        output("setpriv", &["--version"])
            .or_not_allowed("the causes of timeouts", "nothing to drop privileges with")?;
        Group::sweep();
        let root = || if is_root { Ok(()) } else { Err("not root".to_owned()) };
        let made = |group: std::io::Result<Group>| group.map_err(|error| error.to_string());
        Some(Self {
            unshare,
            stage: cargo_example("stage").unwrap(),
            extension: extension(),
            other_extension: cargo_example("fixture_extension").unwrap(),
            commands: Commands::find(),
            has_cpu_quota: made(Group::cpu())
                .or_not_allowed(
                    "functions at the CPU quota of 128 MB",
                    "no cpu controller of cgroup v1",
                )
                .is_some(),
            has_memory_limit: made(Group::memory(128))
                .and_then(|_| made(Group::reading(Path::new(FOLDER))))
                .or_not_allowed("memory-pressure", "no memory and blkio controller of cgroup v1")
                .is_some(),
            has_disk: root()
                .and_then(|()| output("mkfs.ext4", &["-V"]))
                .or_not_allowed("file-system-stall", "no file system to freeze")
                .is_some(),
            has_far_peer: root()
                .and_then(|()| output("python3", &["-c", "open('/dev/net/tun', 'rb')"]))
                .or_not_allowed("peers far away", "no way that could be made long")
                .is_some(),
        })
    }

    /// Whether functions of this runtime can be run.
    pub(crate) fn has(&self, runtime: Runtime) -> bool {
        self.commands.of(runtime).is_some()
    }

    /// Plays a plan; what became of it, or why nothing did.
    pub(crate) async fn play(&self, plan: &Plan) -> Result<Told, String> {
        let directory = tempfile::tempdir_in(FOLDER).map_err(|error| error.to_string())?;
        let (order, _groups) =
            self.order(plan, directory.path()).map_err(|error| error.to_string())?;
        let path = directory.path().join("order.json");
        std::fs::write(&path, serde_json::to_vec(&order).unwrap()).unwrap();
        let played = Command::new("setpriv")
            // Nothing survives the test.
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(&self.unshare)
            .args([&self.stage, Path::new("around"), &path])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let limit = LIMIT + Duration::from_secs(plan.timeout_s);
        let played = tokio::time::timeout(limit, played)
            .await
            .map_err(|_| format!("it was not over after {limit:?}"))?
            .map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&played.stderr);
        match serde_json::from_slice(&played.stdout) {
            Ok(told) if played.status.success() => Ok(told),
            _ => Err(format!("{}: {said}", played.status)),
        }
    }

    fn order(&self, plan: &Plan, directory: &Path) -> std::io::Result<(Order, Vec<Group>)> {
        let memory = plan.memory_mb.map(Group::memory).transpose()?;
        let reading = plan.memory_mb.map(|_| Group::reading(directory)).transpose()?;
        let cpu = plan.has_quota.then(Group::cpu).transpose()?;
        if plan.memory_mb.is_some() {
            make_uncached_file(&directory.join("large"))?;
        }
        let mut env = vec![("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())];
        let fill = |value: &Value| filled(value, plan.timeout_s * 1000, directory);
        if let Some(init) = &plan.init {
            env.push(("TROUBLE_INIT".to_owned(), fill(init).to_string()));
        }
        let other_extension = plan.other_extension.map(|does| {
            let env = [("FIXTURE_ON_INVOKE", does), ("FIXTURE_ON_SHUTDOWN", "exit 0")];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
            (self.other_extension.clone(), env.to_vec())
        });
        let memory_group = memory.as_ref().map(|group| group.path().to_owned());
        let groups: Vec<Group> = memory.into_iter().chain(reading).chain(cpu).collect();
        let mut command = self.commands.of(plan.runtime).unwrap_or_default().to_vec();
        if plan.is_below_shell {
            let shell = ["sh", "-c", "\"$@\"; exit $?", "bootstrap"].map(str::to_owned);
            command.splice(0..0, shell);
        }
        let order = Order {
            command,
            task_root: functions(),
            env,
            timeout_s: plan.timeout_s,
            memory_mb: plan.memory_mb.unwrap_or(128),
            extension: self.extension.clone(),
            other_extension,
            events: plan.events.iter().map(fill).collect(),
            directory: directory.to_owned(),
            control_groups: groups.iter().map(|group| group.path().to_owned()).collect(),
            memory_group,
            has_disk: plan.freeze_after_ms.is_some(),
            freeze_after_ms: plan.freeze_after_ms,
            is_adapted: plan.is_adapted,
            is_far: plan.is_far,
        };
        Ok((order, groups))
    }
}

/// The extension under test: where all is played the one that ships, since with the CPU time of 128 MB
/// it matters how much of it is needed; else the one that is there.
fn extension() -> PathBuf {
    match Asked::of_environment() {
        Asked::Few => PathBuf::from(env!("CARGO_BIN_EXE_lambda-triage")),
        Asked::All | Asked::One(_) | Asked::Beside => {
            cargo_bin_as_shipped("lambda-triage").unwrap()
        }
    }
}

/// The event with what only the stage knows: `$disk/x` and `$here/x` are paths, `$end-N` is N ms before
/// the timeout in milliseconds, `%N` so much of it.
fn filled(value: &Value, timeout_ms: u64, directory: &Path) -> Value {
    match value {
        Value::String(text) => {
            let path = |folder: &Path, name: &str| folder.join(name).display().to_string().into();
            if let Some(name) = text.strip_prefix("$disk/") {
                path(&directory.join("disk"), name)
            } else if let Some(name) = text.strip_prefix("$here/") {
                path(directory, name)
            } else if let Some(before_ms) = text.strip_prefix("$end-") {
                timeout_ms.saturating_sub(before_ms.parse().unwrap()).into()
            } else if let Some(percent) = text.strip_prefix('%') {
                (timeout_ms * percent.parse::<u64>().unwrap() / 100).into()
            } else {
                value.clone()
            }
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, timeout_ms, directory)))
            .collect(),
        _ => value.clone(),
    }
}

/// More than a bounded memory has room for, and read from the disk when it is read.
fn make_uncached_file(path: &Path) -> std::io::Result<()> {
    std::fs::write(path, vec![1; 64 << 20])?;
    std::fs::File::open(path)?.sync_all()?;
    let file = format!("if={}", path.display());
    output("dd", &[&file, "iflag=nocache", "count=0", "status=none"])
        .map(drop)
        .map_err(std::io::Error::other)
}
