//! YAML with CloudFormation's short functions, as JSON with the long ones: `!Sub x` is
//! `{"Fn::Sub": "x"}`.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

/// The one document of a text.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut events = Parser::new_from_str(text);
    loop {
        match next(&mut events)? {
            Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd => return Err("it is empty".into()),
            first => return node(first, &mut events),
        }
    }
}

fn next<'a>(
    events: &mut impl Iterator<
        Item = Result<(Event<'a>, saphyr_parser::Span), saphyr_parser::ScanError>,
    >,
) -> Result<Event<'a>, String> {
    match events.next() {
        Some(Ok((event, _))) => Ok(event),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("it ends too early".into()),
    }
}

fn node<'a>(
    first: Event<'a>,
    events: &mut impl Iterator<
        Item = Result<(Event<'a>, saphyr_parser::Span), saphyr_parser::ScanError>,
    >,
) -> Result<Value, String> {
    match first {
        Event::Scalar(text, style, _, tag) => {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            let value = if plain { scalar(&text) } else { Value::String(text.into_owned()) };
            tagged(tag.as_deref(), value)
        }
        Event::SequenceStart(_, tag) => {
            let mut items = Vec::new();
            loop {
                match next(events)? {
                    Event::SequenceEnd => break,
                    event => items.push(node(event, events)?),
                }
            }
            tagged(tag.as_deref(), Value::Array(items))
        }
        Event::MappingStart(_, tag) => {
            let mut entries = Map::new();
            loop {
                let key = match next(events)? {
                    Event::MappingEnd => break,
                    Event::Scalar(key, ..) => key.into_owned(),
                    other => return Err(format!("a key is no text: {other:?}")),
                };
                let first = next(events)?;
                let value = node(first, events)?;
                if entries.insert(key.clone(), value).is_some() {
                    return Err(format!("the key {key} stands twice in one place"));
                }
            }
            tagged(tag.as_deref(), Value::Object(entries))
        }
        Event::Alias(_) => Err("CloudFormation takes no YAML aliases".into()),
        other => Err(format!("unexpected {other:?}")),
    }
}

/// A plain scalar by YAML 1.2's core schema, but for the rarer spellings.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match serde_json::from_str(text) {
            Ok(number @ Value::Number(_)) => number,
            _ => Value::String(text.to_owned()),
        },
    }
}

fn tagged(tag: Option<&Tag>, value: Value) -> Result<Value, String> {
    let Some(tag) = tag else { return Ok(value) };
    if tag.handle != "!" {
        return Err(format!("CloudFormation has no tag {tag}"));
    }
    let value = match (tag.suffix.as_str(), value) {
        // !GetAtt Resource.Attribute
        ("GetAtt", Value::String(path)) => {
            path.splitn(2, '.').map(|part| Value::String(part.into())).collect()
        }
        (_, value) => value,
    };
    let name = match tag.suffix.as_str() {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name => format!("Fn::{name}"),
    };
    Ok(Value::Object([(name, value)].into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_functions_become_long_ones() {
        let text = "a: !Sub '${x}'\nb: !GetAtt Function.Arn\nc: !If [yes, !Ref x, 1]\nd: |\n  two\n  lines\n\
                    e: ['1', 1, 1.5, true, x-1]\n";
        let expected = json!({
            "a": {"Fn::Sub": "${x}"}, "b": {"Fn::GetAtt": ["Function", "Arn"]},
            "c": {"Fn::If": ["yes", {"Ref": "x"}, 1]}, "d": "two\nlines\n",
            "e": ["1", 1, 1.5, true, "x-1"],
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_cloudformation_does_not_take_is_refused() {
        for text in ["", "a: &x 1\nb: *x", "a: 1\na: 2", "a: [1", "a: !!binary x", "? [a]\n: b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
