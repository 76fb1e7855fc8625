//! Any deliveries: what comes out is the same to the byte whether healthy records are skipped or decoded.

use arbitrary::Unstructured;
use std::sync::LazyLock;
use triage_diagnosis::*;

/// Before this byte, what is delivered: as it is, or chosen by these bytes if it begins with this one, too.
/// Behind it, what else there is to choose.
const CHOICES: u8 = 0xff;

/// What a record may be written like; `LINE` stands for its text, `TIME` for its time.
const RECORDS: [&str; 24] = [
    r#"{"time":"TIME","type":"function","record":"LINE"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE\n"}"#,
    r#"{"time":"TIME","type":"function","record":"[WARN]\tTIME\tLINE"}"#,
    r#"{"time":"TIME","type":"function","record":{"level":"ERROR","message":"LINE"}}"#,
    r#"{"time":"TIME","type":"function","record":["LINE",{"a":[1.5e3,null]}]}"#,
    r#"{"type":"function","record":"LINE","time":"TIME"}"#,
    r#"{ "record" : "LINE" , "time":"TIME",	"type" : "function" }"#,
    r#"{"time":"TIME","type":"function","record":"},{\"time\":\"TIME\",\"type\":\"function\",\"record\":\"LINE"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE\\"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE\\\"},{"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE","record":"LINE"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE","x":"LINE"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE"#,
    r#"{"time":"TIME","type":"function","record":"LINE"}{"a":}"#,
    r#"{"time":"TIME","type":"function","record":{"a":[{"time":"TIME"},"LINE"}}"#,
    r#"{"time":"TIME","type":"function","record":"LINE	"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE \ud83d\ude00"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE \ud83d"}"#,
    r#"{"time":"TIME","type":"function","record":"LINE \u00e4\u003c\u001b[0m\/"}"#,
    r#"{"time":"TIME","type":"platform.start","record":{"requestId":"r"}}"#,
    r#"{"time":"TIME","type":"platform.runtimeDone","record":{"requestId":"r","status":"success"}}"#,
    r#"{"time":"TIME","type":"\u0066unction","record":"LINE"}"#,
    r#"{"time":17,"type":"function","record":"LINE"}"#,
    r#"{"type":"function","record":"LINE"}"#,
];

const LINES: [&str; 40] = [
    "order 7 stored",
    "INFO begun",
    "2026-03-01 12:00:00 WARN payment refused",
    "WARN payment refused",
    "[ERROR] payment failed",
    "",
    " ",
    "    at handler (file:///var/task/index.mjs:9:3)",
    r"\tat com.example.Handler.handleRequest(Handler.java:42)",
    "Caused by: com.example.Declined: no",
    "com.example.payments.Declined: no",
    "192.168.1.1:80 GET",
    "Traceback (most recent call last):",
    "Traceback (most recent call last):\\n  File x\\nE: y",
    r#"  File \"app.py\", line 1"#,
    "botocore.errorfactory.KMSInvalidStateException: the key is pending deletion",
    "KMSDisabledException: key",
    r"K\u004dSDisabledException: key",
    r"\u004bMSDisabledException: key",
    "EFSIOException: An IO process",
    r#"{\"errorType\":\"KMSDisabledException\"}"#,
    r#"{\"level\":\"error\",\"message\":\"EFSIOException: x\"}"#,
    "b'{a}'",
    "{",
    "}",
    "  '$metadata': {",
    "  keyArn: 'arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef',",
    "DisabledException: x {",
    "DEBUG Response body:",
    "Error raised from handler method",
    "[Errno 28] No space left on device",
    r"read \/mnt\/efs: input\/output error",
    "RequestId: r Error: Runtime exited with error: signal: killed",
    r"RequestId: r Error: Runtime exite\u0064 with error: exit status 1",
    "PaymentDeclined: 7",
    r#"say \"Declined\" twice"#,
    r"Zahlung gesch\u00e4ftlich abgelehnt",
    "Zahlung geschäftlich abgelehnt",
    "#0 /var/task/index.php(98): call()",
    "The above exception was the direct cause of the following exception:",
];

/// By how much a record's time differs from that of the one before it, in ms.
const STEPS_MS: [u64; 6] = [0, 0, 1, 9, 1_500, 60_000];
const SEPARATORS: [&str; 5] = [",", ",", ",\n ", "\n", ""];

const SIGNATURES: &str = r#"
[[signature]]
id = "declined"
title = "a payment was declined"
any-of = ["PaymentDeclined", "\"Declined\""]

[[signature]]
id = "refused"
title = "a payment was refused"
any-of = ["geschäftlich abgelehnt"]
"#;

static KEPT: LazyLock<signatures::Signatures> =
    LazyLock::new(|| signatures::Signatures::keep(signatures::parse(SIGNATURES.as_bytes()).0));

pub(super) fn holds(bytes: &[u8]) {
    let at = bytes.iter().rposition(|byte| *byte == CHOICES).filter(|at| *at > 0);
    let (what, choices) = at.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let deliveries = match what {
        [CHOICES, chosen @ ..] => chosen_deliveries(chosen),
        _ => vec![what.to_vec()],
    };
    let mut choices = Unstructured::new(choices);
    let mut choice = |max: usize| choices.int_in_range(0..=max).unwrap_or_default();
    let function = Function { concurrent: choice(3) == 1, ..Function::default() };
    let signatures = (choice(2) == 1).then(|| *KEPT);
    let slice_bytes = [64 * 1024, 1, 300][choice(2)];
    let told = [false, true].map(|skips| {
        let mut sandbox = Sandbox {
            triage: Triage::new(Settings::default(), function.clone()),
            skips,
            slice_bytes,
            told: Vec::new(),
        };
        if let Some(signatures) = signatures {
            sandbox.triage.watch_for(signatures);
        }
        deliveries.iter().for_each(|delivery| sandbox.deliver(delivery));
        sandbox.end();
        sandbox.told
    });
    assert_eq!(told[0], told[1], "decoded, and skipped");
}

fn chosen_deliveries(chosen: &[u8]) -> Vec<Vec<u8>> {
    let mut choices = chosen.iter().map(|byte| usize::from(*byte));
    let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut deliveries = vec![String::from("[")];
    while let Some(record) = choices.next() {
        let mut choice = || choices.next().unwrap_or_default();
        let (line, passed) = (LINES[choice() % LINES.len()], choice());
        now = now.plus_ms(STEPS_MS[passed % STEPS_MS.len()]);
        // Mostly the simplest ones.
        let record = RECORDS[record.checked_sub(100).map_or(0, |record| record % RECORDS.len())];
        let record = record.replace("LINE", line).replace("TIME", &now.to_string());
        let is_last = passed / STEPS_MS.len() % 10 == 9;
        let delivery = deliveries.last_mut().unwrap();
        delivery.push_str(&record);
        delivery.push_str(SEPARATORS[passed / 60 % SEPARATORS.len()]);
        if is_last {
            deliveries.push(String::from("["));
        }
    }
    deliveries.into_iter().map(String::into_bytes).collect()
}

struct Sandbox {
    triage: Triage,
    skips: bool,
    slice_bytes: usize,
    /// All that is told of it, in order.
    told: Vec<String>,
}

impl Sandbox {
    fn deliver(&mut self, bytes: &[u8]) {
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut body = Body::new(bytes.to_vec());
        loop {
            let position = body.position();
            if self.skips {
                let made = |time: Timestamp| self.told.push(format!("record of {time}"));
                self.triage.skip_healthy(&mut body, position + self.slice_bytes, made);
            }
            match body.next_record() {
                None => break,
                Some(Ok(record)) => {
                    if let Some(time) = record.time {
                        self.told.push(format!("record of {time}"));
                    }
                    self.triage.handle_record(record, now);
                }
                Some(Err(malformed)) => {
                    self.told.push(format!("malformed {}", malformed.bytes));
                    self.triage.handle_malformed(malformed, now);
                }
            }
        }
        self.poll(now);
        self.told.push(format!("wakes at {:?}", self.triage.poll_wake()));
        self.poll(now.plus_ms(200));
    }

    fn poll(&mut self, now: Timestamp) {
        while let Some(report) = self.triage.poll_report(now) {
            self.told.push(report.to_line(true));
        }
    }

    fn end(&mut self) {
        let now = Timestamp::parse("2026-03-01T12:00:05Z").unwrap();
        self.triage.finish(now);
        self.poll(now);
        assert_eq!(self.triage.poll_fault(), None);
    }
}
