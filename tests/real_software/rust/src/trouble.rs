//! What can go wrong in a Rust process of itself. What is used up has a bound, should the limit that
//! it is to meet be missing.

use std::fs::File;
use std::io::Write;
use std::net::ToSocketAddrs;

use lambda_runtime::Error;

use crate::calls::note;

pub(crate) async fn cause(name: &str, target: &str, how: &str) -> Result<String, Error> {
    match name {
        "abort" => std::process::abort(),
        "exit-process" => std::process::exit(1),
        "panic" => panic!("the order {target:?} is not there"),
        "fill-tmp" => note(fill_tmp(), how),
        "open-files" => note(open_files(), how),
        "start-threads" => {
            start_threads();
            Ok(String::new())
        }
        "resolve" => note((target, 443).to_socket_addrs(), how),
        "open-path" => note(std::fs::read(target), how),
        "too-large" => Ok("x".repeat(7 << 20)),
        _ => Ok("ok".to_owned()),
    }
}

fn fill_tmp() -> std::io::Result<()> {
    let mut file = File::create("/tmp/report.csv")?;
    for _ in 0..1024 {
        file.write_all(&[0; 64 << 10])?;
    }
    Ok(())
}

fn open_files() -> std::io::Result<Vec<File>> {
    (0..2000).map(|_| File::open("/etc/hostname")).collect()
}

fn start_threads() {
    for _ in 0..200 {
        std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(2)));
    }
}
