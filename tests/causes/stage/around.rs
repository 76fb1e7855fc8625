//! The surroundings of an environment.

use crate::order::Order;
use crate::{Outcome, call, peers};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How long after the deadline a frozen file system is thawed: the function, which waits for it, can be
/// killed only then.
const THAW_AFTER: Duration = Duration::from_millis(200);

pub(crate) fn run(order: &Order, path: &Path) -> Outcome<()> {
    call("ip", &["link", "set", "lo", "up"])?;
    peers::serve()?;
    if order.has_disk {
        make_disk(order)?;
    }
    if let Some(group) = &order.memory_group {
        tell_memory(order, group)?;
    }
    let mut inside = Command::new("setpriv")
        // Nothing survives the surroundings.
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount", "--fork"])
        .args(["--mount-proc", "--kill-child"])
        .arg(std::env::current_exe()?)
        .arg("inside")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut plug_in = inside.stdin.take().ok_or("no stdin")?;
    let told = BufReader::new(inside.stdout.take().ok_or("no stdout")?);
    for line in told.lines() {
        match line?.as_str() {
            "ready" => {
                plug(&inside)?;
                if order.is_far {
                    lengthen(order, &inside)?;
                }
                writeln!(plug_in, "plugged in")?;
            }
            "begun" => {
                if let Some(after_ms) = order.freeze_after_ms {
                    freeze(order, Duration::from_millis(after_ms))?;
                }
            }
            result => println!("{result}"),
        }
    }
    match inside.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("inside: {status}").into()),
    }
}

/// A cable from here to the namespace of the function.
fn plug(inside: &Child) -> Outcome<()> {
    let inside = inside.id().to_string();
    let cable = ["link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", &inside];
    call("ip", &cable)?;
    call("ip", &["address", "add", "10.0.3.7/24", "dev", "veth0"])?;
    call("ip", &["address", "add", "fd00:3::7/64", "dev", "veth0", "nodad"])?;
    call("ip", &["link", "set", "veth0", "up"])
}

/// A second way from here to the namespace of the function, which takes long.
fn lengthen(order: &Order, inside: &Child) -> Outcome<()> {
    let mut way = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "python3"])
        .arg(order.task_root.join("../stage/far.py"))
        .arg(inside.id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    // It says when it is there.
    let mut said = String::new();
    BufReader::new(way.stdout.take().ok_or("no stdout")?).read_line(&mut said)?;
    if said.trim() == "open" { Ok(()) } else { Err("there is no way to far away".into()) }
}

/// A small ext4, gone with the mount namespace.
fn make_disk(order: &Order) -> Outcome<()> {
    let image = order.directory.join("disk.img");
    File::create(&image)?.set_len(32 << 20)?;
    let (image, disk) = (image.to_string_lossy(), order.disk());
    call("mkfs.ext4", &["-q", "-F", &image])?;
    std::fs::create_dir_all(&disk)?;
    call("mount", &["-t", "ext4", "-o", "loop", &image, &disk.to_string_lossy()])
}

/// Freezes the file system soon, and thaws it after the deadline.
fn freeze(order: &Order, after: Duration) -> Outcome<()> {
    let disk = order.disk().to_string_lossy().into_owned();
    // What waits for a frozen file system cannot be killed: it is thawed even if this process is.
    let mut thaw = Command::new("sh")
        .args(["-c", "read -r over; fsfreeze --unfreeze \"$0\"", &disk])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let frozen = Duration::from_secs(order.timeout_s).saturating_sub(after) + THAW_AFTER;
    thread::spawn(move || {
        thread::sleep(after);
        if let Err(error) = call("fsfreeze", &["--freeze", &disk]) {
            eprintln!("{error}");
        }
        thread::sleep(frozen);
        drop(thaw.stdin.take());
        let _ = thaw.wait();
    });
    Ok(())
}

/// Keeps a file that tells of the memory of the control group what /proc/meminfo would tell of a
/// machine of that size.
fn tell_memory(order: &Order, group: &Path) -> Outcome<()> {
    let limit_bytes = read_number(&group.join("memory.limit_in_bytes"))?;
    let told = File::create(order.directory.join("meminfo"))?;
    let group: PathBuf = group.to_owned();
    let tell = move || -> Outcome<()> {
        let used = read_number(&group.join("memory.usage_in_bytes"))?;
        let stat = std::fs::read_to_string(group.join("memory.stat"))?;
        let cached = |name| {
            let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let cached = cached("active_file").unwrap_or(0) + cached("inactive_file").unwrap_or(0);
        let free = limit_bytes.saturating_sub(used);
        let lines = [
            ("MemTotal:", limit_bytes),
            ("MemFree:", free),
            // As the kernel reckons: half of what is cached is needed.
            ("MemAvailable:", free + cached / 2),
            ("Buffers:", 0),
            ("Cached:", cached),
            ("SwapTotal:", 0),
        ];
        let lines: String = lines
            .iter()
            .map(|(name, bytes)| format!("{name:<16}{:>8} kB\n", bytes >> 10))
            .collect();
        // All of it at once and always of one length, as readers come at any time.
        told.write_all_at(lines.as_bytes(), 0)?;
        Ok(())
    };
    tell()?;
    thread::spawn(move || {
        while tell().is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    Ok(())
}

fn read_number(path: &Path) -> Outcome<u64> {
    Ok(std::fs::read_to_string(path)?.trim().parse()?)
}
