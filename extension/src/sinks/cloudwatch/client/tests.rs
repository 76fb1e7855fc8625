use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use triage_diagnosis::{Level, Timestamp};

const TIME: Duration = Duration::from_secs(4);

/// A server that does so with each connection, and how many came.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::<AtomicUsize>::default();
    let counted = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            serve(stream.unwrap());
        }
    });
    (address.to_string(), connections)
}

/// Takes the request and answers it so, a while later.
fn answer(mut stream: &TcpStream, after: Duration, status: u16, code: &str) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The body is a CBOR map, in one of the first packets.
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let n = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..n]);
    }
    sleep(after);
    // {"__type": code}
    let mut body = b"\xa1\x66__type\x78".to_vec();
    body.push(code.len() as u8);
    body.extend_from_slice(code.as_bytes());
    let head = format!(
        "HTTP/1.1 {status} X\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.into_bytes(), body].concat()).unwrap();
}

fn api(url: String) -> Api {
    let credentials =
        CredentialSource::Environment { id: "id".into(), secret: "secret".into(), token: None };
    let access = ApiAccess { region: "eu-west-1".into(), endpoint_url: Some(url), credentials };
    Api::new(&access, "orders".into(), "LambdaTriage".into())
}

fn data() -> [Datum; 1] {
    let at = Timestamp::from_ms(1_772_366_400_000);
    let (name, unit, level) = ("Timeouts", Unit::Count, Level::Error);
    [Datum { at, name, unit, level, values: vec![(1.0, 1)] }]
}

/// The runtime has one thread: while it is held up nothing of it goes on, and all clocks do.
async fn freeze(awake: Duration, frozen: Duration) {
    tokio::time::sleep(awake).await;
    sleep(frozen);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test]
async fn an_answer_that_came_during_a_freeze_counts() {
    let (address, connections) = server(|stream| answer(&stream, ms(400), 200, ""));
    let api = api(format!("http://{address}"));
    let frozen = tokio::spawn(freeze(ms(150), ms(3_200)));
    assert_eq!(api.put(&data(), TIME).await, Ok(()));
    frozen.await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn no_answer_over_a_freeze_is_not_the_apis_fault() {
    // It closes what it has taken, as the other end does in a long freeze.
    let (address, connections) = server(|stream| {
        sleep(ms(300));
        drop(stream);
    });
    let api = api(format!("http://{address}"));
    let frozen = tokio::spawn(freeze(ms(150), ms(1_500)));
    assert_eq!(api.put(&data(), TIME).await, Err(PutError::Frozen));
    frozen.await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 1, "it may have been taken");
    // A busy machine may stand still for a moment, too.
    for n in 1.. {
        let result = api.put(&data(), TIME).await;
        if n == 3 || result != Err(PutError::Frozen) {
            assert_eq!(result, Err(PutError::Unanswered("the connection broke")));
            break;
        }
    }
}

/// The handshake never ends here, so that the time for it can be seen.
#[tokio::test]
async fn a_freeze_amid_connecting_takes_none_of_its_time_and_what_was_not_sent_is_tried_again() {
    let kept = std::sync::Mutex::new(Vec::new());
    let (address, connections) = server(move |stream| kept.lock().unwrap().push(stream));
    let api = api(format!("https://{address}"));
    let seen = connections.clone();
    let frozen = tokio::spawn(async move {
        freeze(ms(200), ms(1_500)).await;
        tokio::time::sleep(ms(250)).await;
        seen.load(Ordering::Relaxed)
    });
    let host = PutError::Unreachable(api.host.clone());
    assert_eq!(api.put(&data(), TIME).await, Err(host));
    assert_eq!(frozen.await.unwrap(), 1, "it has time left after the freeze");
    // A busy machine may stand still amid the second try, too.
    let tries = connections.load(Ordering::Relaxed);
    assert!((2..=3).contains(&tries), "once more, and without a freeze no more: {tries}");
}

#[tokio::test]
async fn only_what_was_surely_not_taken_is_tried_again() {
    for (status, code, tries) in [
        (400, "ThrottlingException", 2),
        (503, "ServiceUnavailable", 2),
        (403, "RequestTimeTooSkewed", 2),
        (403, "AccessDenied", 1),
        (500, "InternalServiceFault", 1),
        (502, "", 1),
        (504, "", 1),
    ] {
        let (address, connections) =
            server(move |stream| answer(&stream, Duration::ZERO, status, code));
        let error = api(format!("http://{address}")).put(&data(), TIME).await.unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(connections.load(Ordering::Relaxed), tries, "{status} {code}");
        assert_eq!(error.to_string().contains("count twice"), status >= 500 && tries == 1);
    }
}
