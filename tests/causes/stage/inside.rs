//! The first process of the namespaces that the function lives in.

use crate::order::{Order, address};
use crate::{Outcome, call};
use std::io::{Write, stdin, stdout};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Hardware that is not there: frames to it get lost.
const NO_HARDWARE: &str = "02:00:00:00:00:99";

pub(crate) fn run(order: &Order, path: &Path) -> Outcome<()> {
    // The namespaces exist: the cable can be plugged in.
    println!("ready");
    stdout().flush()?;
    stdin().read_line(&mut String::new())?;

    ip("link set lo up")?;
    ip("address add 10.0.3.10/24 dev veth0")?;
    ip("address add fd00:3::10/64 dev veth0 nodad")?;
    ip("link set veth0 up")?;
    for nobody in [address::NOBODY, address::NOBODY_V6] {
        ip(&format!("neighbour add {nobody} lladdr {NO_HARDWARE} dev veth0 nud permanent"))?;
    }
    let resolver = order.directory.join("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {}\n", address::PEER))?;
    bind(&resolver, "/etc/resolv.conf")?;
    if order.memory_group.is_some() {
        bind(&order.directory.join("meminfo"), "/proc/meminfo")?;
    }
    // Whoever runs this: the function and its extensions have no privileges on Lambda.
    let error = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
        .arg(std::env::current_exe()?)
        .arg("play")
        .arg(path)
        .exec();
    Err(format!("setpriv: {error}").into())
}

fn bind(source: &Path, target: &str) -> Outcome<()> {
    call("mount", &["--bind", &source.to_string_lossy(), target])
}

fn ip(command: &str) -> Outcome<()> {
    call("ip", &command.split(' ').collect::<Vec<_>>())
}
