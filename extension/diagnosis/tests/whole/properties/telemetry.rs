//! Whole sessions as the fixtures hold them: lines of telemetry and of events. Of any such text,
//! delivered in any way, come lines that are as they must be.

use super::watch::Watch;
use arbitrary::Unstructured;
use serde_json::Value;
use triage_diagnosis::*;

/// What follows this byte (which no text holds) chooses how telemetry is delivered. Without it,
/// whole and in time.
const CHOICES: u8 = 0xff;

pub(super) fn holds(bytes: &[u8]) {
    let at = bytes.iter().rposition(|byte| *byte == CHOICES);
    let (session, choices) = at.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let mut choices = Unstructured::new(choices);
    let setup = choices.arbitrary::<u8>().unwrap_or_default();
    let rate = InvocationRate { invocations: 5, seconds: 10 };
    let settings =
        Settings { recursion_rate: (setup & 1 == 1).then_some(rate), ..Settings::default() };
    let function = Function {
        name: "orders".to_owned(),
        version: "7".to_owned(),
        concurrent: setup & 2 == 2,
        ..Function::default()
    };
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut watch = Watch::new(settings, function, now);
    let mut late: Vec<Vec<u8>> = Vec::new();
    let mut delivery: Vec<&[u8]> = Vec::new();
    for line in session.split(|byte| *byte == b'\n') {
        let Some(event) = event(line) else {
            delivery.push(line);
            continue;
        };
        late.extend(deliver(&mut watch, std::mem::take(&mut delivery), &mut choices));
        happen(&mut watch, &event);
        late.drain(..).for_each(|body| watch.deliver(body));
    }
    late.extend(deliver(&mut watch, delivery, &mut choices));
    late.into_iter().for_each(|body| watch.deliver(body));
    watch.end();
}

/// `{"at": time, "next": event}` or `{"at": time, "dropped": counts}`
fn event(line: &[u8]) -> Option<Value> {
    let event: Value =
        serde_json::from_slice(line).ok().filter(|_| line.starts_with(b"{\"at\""))?;
    Timestamp::parse(event["at"].as_str()?)?;
    Some(event)
}

fn happen(watch: &mut Watch, event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    watch.set_clock(Timestamp::parse(&text(&event["at"])).unwrap_or_default());
    if let Some(dropped) = event.get("dropped") {
        let number = |name: &str| dropped[name].as_u64().unwrap_or_default();
        watch.dropped(Dropped { deliveries: number("deliveries"), bytes: number("bytes") });
    }
    let next = &event["next"];
    match next["eventType"].as_str() {
        Some("INVOKE") => watch.invoke(Invoke {
            request_id: text(&next["requestId"]),
            deadline: next["deadlineMs"].as_u64().map(Timestamp::from_ms),
            function_arn: text(&next["invokedFunctionArn"]),
            trace_header: next["tracing"]["value"].as_str().map(str::to_owned),
        }),
        Some("SHUTDOWN") => watch.shutdown(&text(&next["shutdownReason"])),
        _ => {}
    }
}

/// Delivers these lines as the next choices have it, and gives back what is to come later.
fn deliver(
    watch: &mut Watch,
    mut lines: Vec<&[u8]>,
    choices: &mut Unstructured<'_>,
) -> Vec<Vec<u8>> {
    let mut choice = |max: usize| choices.int_in_range(0..=max).unwrap_or_default();
    let array = |lines: &[&[u8]]| [b"[", lines.join(&b','.to_owned()).as_slice(), b"]"].concat();
    let mut bodies = vec![array(&lines)];
    match choice(8) {
        1 => bodies = vec![lines.join(&b'\n')],
        2 => bodies = lines.iter().map(|line| line.to_vec()).collect(),
        3 => bodies.push(bodies[0].clone()),
        4 => {
            lines.reverse();
            bodies = vec![array(&lines)];
        }
        5 => {
            let at = choice(lines.len());
            lines.rotate_left(at);
            bodies = vec![array(&lines)];
        }
        6 => {
            let whole = bodies.remove(0);
            let at = choice(whole.len());
            bodies = vec![whole[..at].to_vec(), whole[at..].to_vec()];
        }
        7 => bodies.clear(),
        8 => return bodies,
        _ => {}
    }
    for body in bodies {
        watch.deliver(body);
        match choice(5) {
            1 => {}
            2 => watch.set_clock(watch.now().plus_ms(600)),
            3 => watch.set_clock(watch.now().plus_ms(3_600_000)),
            4 => watch.set_clock(watch.now().minus_ms(30_000)),
            _ => watch.poll(),
        }
    }
    Vec::new()
}
