//! A function that waits for what its event says until its time is over.
//!
//! `trouble EVENT` is the same without Lambda. What there is to wait for is the event's `trouble`; see
//! [`trouble`]. In the style `async` it waits as futures do, else in the system call.

use std::error::Error;
use std::io::{Read, Seek, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const EVER_MS: u64 = 3_600_000;

fn main() -> Outcome<()> {
    if let Some(event) = std::env::args().nth(1) {
        let event = serde_json::from_str(&event)?;
        return runtime(&Value::Null)?.block_on(handle(&event)).map(drop);
    }
    let at_init = std::env::var("TROUBLE_INIT").unwrap_or("null".to_owned());
    let at_init: Value = serde_json::from_str(&at_init)?;
    runtime(&at_init)?.block_on(async {
        if at_init["trouble"].is_string() {
            handle(&at_init).await?;
        }
        let handler = |event: LambdaEvent<Value>| async move { handle(&event.payload).await };
        lambda_runtime::run(service_fn(handler)).await
    })
}

fn runtime(event: &Value) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match event["workers"].as_u64() {
        None => tokio::runtime::Builder::new_current_thread(),
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn handle(event: &Value) -> Outcome<Value> {
    let beside = &event["beside"];
    for _ in 0..beside["count"].as_u64().unwrap_or(0) {
        // Kept open until the process ends.
        std::mem::forget(answered(beside)?);
    }
    if event["stream"].is_object() {
        // A thread that waits for news which never come, as clients of feature flags and queues do.
        let mut stream = TcpStream::connect(peer(&event["stream"])?)?;
        std::thread::spawn(move || stream.read(&mut [0; 1]));
    }
    if event["background"].is_object() {
        // What the handler does not wait for.
        let background = event["background"].clone();
        match background["style"].as_str() {
            Some("async") => drop(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(number(&background, "delay_ms"))).await;
                trouble_of_futures(&background).await.map(drop)
            })),
            _ => drop(std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(number(&background, "delay_ms")));
                trouble(&background).map(drop)
            })),
        }
    }
    if event["helper"] == true {
        // A process that runs beside and that nobody waits for, as a browser or a proxy might.
        Command::new("sleep").arg((EVER_MS / 1000).to_string()).spawn()?;
    }
    if let Some(delay_ms) = event["delay_ms"].as_u64() {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    let mut inner = event.clone();
    inner["delay_ms"] = Value::Null;
    inner["on"] = Value::Null;
    inner["beside"] = Value::Null;
    inner["stream"] = Value::Null;
    inner["background"] = Value::Null;
    inner["helper"] = Value::Null;
    match event["on"].as_str() {
        Some("child") => {
            Command::new(std::env::current_exe()?).arg(inner.to_string()).status()?;
            return Ok(Value::Null);
        }
        Some("thread") => {
            let thread = std::thread::spawn(move || trouble(&inner));
            return thread.join().map_err(|_| "the thread panicked")?;
        }
        _ => {}
    }
    match event["style"].as_str() {
        Some("async") => trouble_of_futures(event).await,
        Some("spawn_blocking") => tokio::task::spawn_blocking(move || trouble(&inner)).await?,
        _ => trouble(event),
    }
}

/// What blocks the thread.
fn trouble(event: &Value) -> Outcome<Value> {
    match event["trouble"].as_str().unwrap_or_default() {
        "healthy" => return Ok(event.clone()),
        "connect" => drop(TcpStream::connect(peer(event)?)?),
        // One new connection after another.
        "connects" => loop {
            drop(TcpStream::connect(peer(event)?)?);
        },
        "refused" => {
            for _ in 0..event["times"].as_u64().unwrap_or(u64::MAX) {
                let _ = TcpStream::connect(peer(event)?);
                std::thread::sleep(Duration::from_millis(number(event, "pause_ms")));
            }
        }
        // What is sent to those who subscribed, as by a message broker.
        "listen" => drop(answered(event)?.read(&mut [0; 1])?),
        "request" => drop(answered(event)?),
        "greeting" => {
            TcpStream::connect(peer(event)?)?.read_exact(&mut [0; 1])?;
        }
        "push" => {
            let mut connection = TcpStream::connect(peer(event)?)?;
            loop {
                connection.write_all(&[0; 1 << 16])?;
            }
        }
        "resolve" => loop {
            let _ = (text(event, "name"), 443).to_socket_addrs();
        },
        "query" => {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.connect((text(event, "address"), 53))?;
            loop {
                socket.send(b"a query, as a resolver would send it")?;
                socket.recv(&mut [0; 512])?;
            }
        }
        "spin" => {
            for _ in 1..number(event, "threads") {
                std::thread::spawn(spin);
            }
            spin();
        }
        "busy" => {
            let begin = Instant::now();
            while begin.elapsed() < time(event) {}
        }
        "write" => {
            let mut file = std::fs::File::create(text(event, "path"))?;
            loop {
                file.rewind()?;
                file.write_all(&[0; 1 << 16])?;
                file.sync_all()?;
            }
        }
        "read" => {
            std::fs::File::open(text(event, "path"))?.read_exact(&mut [0; 1])?;
        }
        "child" => {
            Command::new("sleep").arg(time(event).as_secs_f64().to_string()).status()?;
        }
        "sleep" => match event["style"].as_str() {
            // A sender that lives and never sends.
            Some("queue") => {
                let (sender, receiver) = mpsc::channel::<()>();
                receiver.recv()?;
                drop(sender);
            }
            Some("lock") => {
                let mutex = std::sync::Mutex::new(());
                let _held = mutex.lock();
                let _never = mutex.lock();
            }
            _ => std::thread::sleep(time(event)),
        },
        "exit" => std::process::exit(1),
        unknown => return Err(format!("no trouble is called {unknown}").into()),
    }
    Ok(json!(null))
}

/// What waits as futures do: in the reactor.
async fn trouble_of_futures(event: &Value) -> Outcome<Value> {
    let connect = async || Outcome::Ok(tokio::net::TcpStream::connect(peer(event)?).await?);
    match event["trouble"].as_str().unwrap_or_default() {
        "connect" => drop(connect().await?),
        "refused" => loop {
            let _ = connect().await;
            tokio::time::sleep(Duration::from_millis(number(event, "pause_ms"))).await;
        },
        "request" => {
            let mut connection = connect().await?;
            connection.write_all(&request(event)).await?;
            connection.read_u8().await?;
        }
        "connects" => loop {
            drop(connect().await?);
        },
        "greeting" => drop(connect().await?.read_u8().await?),
        // To a collector of logs, which never answers.
        "ship" => {
            let mut connection = connect().await?;
            for _ in 0..number(event, "times") {
                connection.write_all(b"<14>an order was taken\n").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // It stays open.
            std::future::pending::<()>().await;
        }
        // As behind an adapter that calls it over loopback: it has answered in part, and more is to come.
        "serve" => {
            let listener = tokio::net::TcpListener::bind(peer(event)?).await?;
            let (mut connection, _) = listener.accept().await?;
            connection.read_u8().await?;
            connection.write_all(b"a part of the answer").await?;
            Box::pin(trouble_of_futures(&event["then"])).await?;
        }
        "push" => {
            let mut connection = connect().await?;
            loop {
                connection.write_all(&[0; 1 << 16]).await?;
            }
        }
        "resolve" => loop {
            let _ = tokio::net::lookup_host((text(event, "name"), 443)).await;
        },
        "write" => loop {
            tokio::fs::write(text(event, "path"), [0; 1 << 16]).await?;
        },
        // A future that nobody wakes.
        "sleep" => std::future::pending::<()>().await,
        unknown => return Err(format!("no trouble of futures is called {unknown}").into()),
    }
    Ok(json!(null))
}

fn spin() {
    let mut number: u64 = 0;
    loop {
        number = std::hint::black_box((number * 31 + 7) % 1_000_003);
    }
}

/// A connection on which a request was answered.
fn answered(event: &Value) -> Outcome<TcpStream> {
    let mut connection = TcpStream::connect(peer(event)?)?;
    connection.write_all(&request(event))?;
    if connection.read(&mut [0; 4096])? == 0 {
        return Err("no answer".into());
    }
    Ok(connection)
}

/// One that is answered after so many milliseconds, if ever.
fn request(event: &Value) -> Vec<u8> {
    let after_ms = number(event, "after_ms");
    format!("GET /{after_ms} HTTP/1.1\r\nHost: orders\r\n\r\n").into_bytes()
}

/// How long an event wants it to take.
fn time(event: &Value) -> Duration {
    Duration::from_millis(event["for_ms"].as_u64().unwrap_or(EVER_MS))
}

fn peer(event: &Value) -> Outcome<SocketAddr> {
    let address: IpAddr = text(event, "address").parse()?;
    Ok(SocketAddr::new(address, u16::try_from(number(event, "port"))?))
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

fn number(event: &Value, field: &str) -> u64 {
    event[field].as_u64().unwrap_or_default()
}
