//! Works through deliveries as the extension does, for a profile of it:
//!
//! ```sh
//! cargo build --release -p triage-diagnosis --example deliveries
//! valgrind --tool=callgrind target/release/examples/deliveries text 16
//! ```
//!
//! The kinds are `text` and `json`, in which nothing is wrong, and `errors`, of which each is told; the number is
//! how many deliveries of 256 KiB. A third argument, `decode`, has every record decoded. With 0 deliveries it
//! does all else, so that the difference is what they take.

// It is told on the command line what to do, and fails where that is wrong.
#![allow(clippy::expect_used, clippy::disallowed_methods)]

use triage_diagnosis::{Body, Function, Settings, Timestamp, Triage};

const DELIVERY_BYTES: usize = 256 * 1024;
const SLICE_BYTES: usize = 64 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, deliveries, mode @ ..] = arguments.as_slice() else {
        panic!("text | json | errors, and how many deliveries");
    };
    let deliveries: usize = deliveries.parse().expect("a number of deliveries");
    let skips = mode.is_empty();
    let delivery = delivery(kind);
    let now = Timestamp::from_ms(1_772_366_400_000);
    let mut triage = Triage::new(Settings::default(), Function::default());
    for _ in 0..deliveries {
        let mut body = Body::new(delivery.clone().into_bytes());
        loop {
            let until = body.position() + SLICE_BYTES;
            if skips {
                triage.skip_healthy(&mut body, until, |_| ());
            }
            let Some(record) = body.next_record() else { break };
            triage.handle_record(record.expect("it is well-formed"), now);
        }
        while triage.poll_report(now).is_some() {}
    }
}

fn delivery(kind: &str) -> String {
    const ID: &str = "79104eff-e5a6-4ecd-b1a5-7a1b6c6c3a01";
    let record = |n: u64| {
        let time = Timestamp::from_ms(1_772_366_400_000 + n);
        let said = match kind {
            "text" => format!(
                r#""[INFO]\t{time}\t{ID}\torder {n} stored in table orders with 17 items for customer 99 by payment provider visa\n""#
            ),
            "json" => format!(
                r#"{{"timestamp":"{time}","level":"INFO","requestId":"{ID}","message":"order {n} stored","items":[1,2,3],"customer":{{"id":99}}}}"#
            ),
            "errors" => format!(
                r#""[ERROR]\t{time}\t{ID}\tDisabledException: An error occurred (DisabledException) when calling the Decrypt operation: arn:aws:kms:eu-west-1:123456789012:key/{n} is disabled.\n""#
            ),
            _ => panic!("text, json or errors"),
        };
        format!(r#"{{"time":"{time}","type":"function","record":{said}}}"#)
    };
    let mut delivery = String::from("[");
    for n in 0.. {
        delivery.push_str(&record(n));
        if delivery.len() >= DELIVERY_BYTES {
            break;
        }
        delivery.push(',');
    }
    delivery + "]"
}
