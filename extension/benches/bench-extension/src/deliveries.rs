//! What Lambda delivers to a listener: always the same but for times and numbers.

use crate::Result;
use std::time::SystemTime;

/// What Lambda's buffer holds at the least that can be asked for, in bytes.
const DELIVERY_BYTES: usize = 256 * 1024;

/// What a function logs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Logs {
    /// Healthy lines.
    Text,
    /// Healthy objects.
    Json,
    /// Nothing but errors that ours diagnoses.
    Errors,
    /// One healthy record of 0.9 MB, JSON.
    OneRecord,
}

/// The id of an invocation.
pub(crate) fn request_id(n: usize) -> String {
    format!("79104eff-e5a6-4ecd-b1a5-{n:012}")
}

/// All that Lambda tells of an invocation after which nothing is wrong.
pub(crate) fn healthy(n: usize) -> String {
    let (start, done) = (start(n), done(n, "success"));
    let (time, record) = (now(), format!("handled order {n}\\n"));
    format!(r#"[{start},{{"time":"{time}","type":"function","record":"{record}"}},{done}]"#)
}

/// What Lambda tells of the beginning of an invocation.
pub(crate) fn started(n: usize) -> String {
    format!("[{}]", start(n))
}

/// What Lambda tells of a line that the function wrote, as a record.
pub(crate) fn logged(line: &str) -> String {
    let (time, line) = (now(), serde_json::Value::from(line));
    format!(r#"{{"time":"{time}","type":"function","record":{line}}}"#)
}

/// What Lambda tells of the end of an invocation.
pub(crate) fn ended(n: usize, status: &str) -> String {
    format!("[{}]", done(n, status))
}

/// The record that an invocation begins with.
pub(crate) fn start(n: usize) -> String {
    let (time, id) = (now(), request_id(n));
    format!(
        r#"{{"time":"{time}","type":"platform.start","record":{{"requestId":"{id}","version":"$LATEST"}}}}"#
    )
}

/// The records that it ends with.
pub(crate) fn done(n: usize, status: &str) -> String {
    let (time, id) = (now(), request_id(n));
    format!(
        r#"{{"time":"{time}","type":"platform.runtimeDone","record":{{"requestId":"{id}","status":"{status}","metrics":{{"durationMs":12.5,"producedBytes":26}}}}}},{{"time":"{time}","type":"platform.report","record":{{"requestId":"{id}","status":"{status}","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":42}}}}}}"#
    )
}

/// A delivery of logs of 256 KiB or one record, which is another each time it is numbered: one that comes again as it
/// was may be known as such.
pub(crate) struct Batch {
    body: Vec<u8>,
    number_at: usize,
}

const NUMBER: &str = "0000000000";

impl Batch {
    pub(crate) fn of(logs: Logs) -> Result<Self> {
        let mut body = String::from("[");
        for n in 0.. {
            if n > 0 {
                body.push(',');
            }
            let (time, record) = (now(), record(logs, n));
            body += &format!(r#"{{"time":"{time}","type":"function","record":{record}}}"#);
            if body.len() > DELIVERY_BYTES {
                break;
            }
        }
        body.push(']');
        let number_at = body.find(NUMBER).ok_or("a number in the first record")?;
        Ok(Self { body: body.into_bytes(), number_at })
    }

    pub(crate) fn numbered(&mut self, number: usize) -> &[u8] {
        let number = format!("{number:010}");
        self.body[self.number_at..self.number_at + number.len()].copy_from_slice(number.as_bytes());
        &self.body
    }

    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }
}

/// As it stands in a delivery. The numbers of all but the first record differ from the delivery's.
fn record(logs: Logs, n: usize) -> String {
    let (time, id) = ("2026-03-01T12:00:00.000Z", request_id(0));
    match logs {
        Logs::Text => format!(
            r#""[INFO]\t{time}\t{id}\torder {n:010} stored in table orders with 17 items for customer 99 by payment provider visa\n""#
        ),
        Logs::Json => format!(
            r#"{{"timestamp":"{time}","level":"INFO","requestId":"{id}","message":"order {n:010} stored","items":[1,2,3],"customer":{{"id":99,"provider":"visa"}}}}"#
        ),
        Logs::OneRecord => {
            let numbers: Vec<String> = (0..150_000).map(|n| n.to_string()).collect();
            format!(r#"["{n:010}",{}]"#, numbers.join(","))
        }
        Logs::Errors => {
            let error = match n % 4 {
                0 => {
                    "AccessDeniedException: An error occurred (AccessDeniedException) when calling the Decrypt operation: User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef because no identity-based policy allows the kms:Decrypt action"
                }
                1 => "OSError: [Errno 28] No space left on device: '/tmp/orders.zip'",
                2 => {
                    "TooManyRequestsException: An error occurred (TooManyRequestsException) when calling the Invoke operation (reached max retries: 4): Rate Exceeded."
                }
                _ => "gaierror: [Errno -3] Temporary failure in name resolution",
            };
            format!(
                r#""[ERROR]\t{time}\t{id}\torder {n:010}\n{error}\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 8, in handler\n""#
            )
        }
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn deliveries_are_json_and_of_their_size() {
        let whole = |text: &[u8]| serde_json::from_slice::<Vec<Value>>(text).unwrap().len();
        for logs in [Logs::Text, Logs::Json, Logs::Errors] {
            let mut batch = Batch::of(logs).unwrap();
            let first = batch.numbered(1).to_vec();
            assert!(whole(&first) > 500, "{logs:?}");
            assert_ne!(batch.numbered(2), first);
            assert!((DELIVERY_BYTES..DELIVERY_BYTES + 1_000).contains(&batch.len()));
        }
        let mut one = Batch::of(Logs::OneRecord).unwrap();
        assert_eq!(whole(one.numbered(1)), 1);
        assert!(one.len() > 900_000);
        assert_eq!(whole(healthy(1).as_bytes()), 4);
        assert_eq!(whole(started(1).as_bytes()), 1);
        assert_eq!(whole(ended(1, "timeout").as_bytes()), 2);
    }
}
