//! Any X-Amzn-Trace-Id header: what is told of a chain is what the header says.

use super::watch::{Watch, as_kept, sum};
use arbitrary::{Result, Unstructured};
use serde_json::Value;
use triage_diagnosis::*;

/// The metric of how deep a chain is.
const DEPTH: &str = "RecursionDepth";

pub(super) fn holds(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'0', choices)) => {
            // What is not there is as good as a zero.
            let _ = lineage_is_read_as_written(&mut Unstructured::new(choices));
        }
        Some((b'1', choices)) => {
            let _ = an_unguarded_chain_is_counted(&mut Unstructured::new(choices));
        }
        Some((_, header)) => any_text_is_bounded(&String::from_utf8_lossy(header)),
        None => {}
    }
}

/// The lines of a sandbox whose invocations carry these headers. A line for each depth.
fn lines(recursion_depth: u32, headers: impl Iterator<Item = String>) -> Vec<Value> {
    let settings = Settings { recursion_depth, ..Settings::default() };
    let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let mut watch = Watch::new(settings, Function::default(), now);
    for (id, header) in headers.enumerate() {
        let invoke =
            Invoke { request_id: id.to_string(), trace_header: Some(header), ..Invoke::default() };
        watch.invoke(invoke);
        watch.poll();
        watch.set_clock(watch.now().plus_ms(1));
    }
    watch.end()
}

fn any_text_is_bounded(header: &str) {
    let lines = lines(1, [header.to_owned()].into_iter());
    // One pass is no chain: what is told is Lineage's word.
    assert!(lines.len() <= 1, "{lines:#?}");
    for line in &lines {
        let depth = line[DEPTH].as_u64().unwrap();
        assert!(depth >= 1 && header.contains(&depth.to_string()), "{header:?}: {line}");
        assert_eq!(line["diagnosis"]["cause"], "lineage");
        if let Some(root) = line.get("traceId") {
            assert!(as_kept(header).contains(root.as_str().unwrap()) || header.len() > 256);
        }
    }
}

fn lineage_is_read_as_written(choices: &mut Unstructured<'_>) -> Result<()> {
    let is_second_version: bool = choices.arbitrary()?;
    let entries = if is_second_version { 1 } else { choices.int_in_range(1..=5)? };
    let mut lineage = Vec::new();
    let mut deepest = 0;
    for _ in 0..entries {
        let hash: u32 = choices.arbitrary()?;
        let count: u32 = choices.arbitrary()?;
        deepest = deepest.max(count);
        lineage.push(if is_second_version {
            format!("{count}:{hash:08x}:{}", choices.arbitrary::<u8>()?)
        } else {
            format!("{hash:08X}:{count}")
        });
    }
    let mut fields = [
        format!("Lineage={}", lineage.join("|")),
        "Root=1-5e1b4151-5ac6c58f-b6c2b1d4".to_owned(),
        "Parent=53995c3f42cd8ad8".to_owned(),
        "Sampled=1".to_owned(),
        "Self=x=y".to_owned(),
    ];
    fields.rotate_left(choices.int_in_range(0..=4)?);
    let limit = choices.arbitrary::<u8>()?.into();
    let header = fields.join(if choices.arbitrary()? { ";" } else { " ; " });
    let lines = lines(limit, [header.clone()].into_iter());
    let depths: Vec<u64> = lines.iter().map(|line| line[DEPTH].as_u64().unwrap()).collect();
    let expected = if deepest >= limit { vec![u64::from(deepest)] } else { Vec::new() };
    assert_eq!(depths, expected, "{header} with the limit {limit}");
    Ok(())
}

/// The same root under new request ids and by new parents, with the platform's counter missing or
/// standing still.
fn an_unguarded_chain_is_counted(choices: &mut Unstructured<'_>) -> Result<()> {
    let passes: u32 = choices.int_in_range(0..=100)?;
    let limit = choices.arbitrary::<u8>()?.into();
    let is_flat: bool = choices.arbitrary()?;
    let lineage = if is_flat { ";Lineage=0:a87bd80c:0" } else { "" };
    // One parent of several is a fan-out from then on.
    let fan_out_at: Option<u32> = choices.arbitrary::<Option<u8>>()?.map(u32::from);
    let parent = |pass: u32| if Some(pass) == fan_out_at { pass.saturating_sub(1) } else { pass };
    let headers = (0..passes).map(|pass| format!("Root=1-a;Parent=p{}{lineage}", parent(pass)));
    let lines = lines(limit, headers);
    let told = sum(&lines, "recursion", SUSPECTED_PROBLEMS);
    // Where the counter is read as 0 and the limit is 0, its depth speaks.
    if is_flat && limit == 0 {
        assert_eq!(sum(&lines, "recursion", "Recursions"), u64::from(passes));
        return Ok(());
    }
    let unguarded = fan_out_at.filter(|at| (1..passes).contains(at)).unwrap_or(passes);
    let expected = (unguarded + 1).saturating_sub(limit.max(2));
    assert_eq!(told, u64::from(expected), "{passes} passes, limit {limit}, {fan_out_at:?}");
    Ok(())
}
