//! What a log record names beside an error: resources, operations, who was denied what.

use crate::aws_name::{is_arn, is_endpoint, is_plain_name, is_region, is_resource_id, shown_arn};
use crate::mask::{MASK, is_boundary};
use crate::vocabulary::is_composed_of_words;

/// A longer one is not shown.
const MAX_ARN_BYTES: usize = 256;

/// The ARNs of a service and kind of resource, in any partition.
pub(super) fn arns<'a>(
    text: &'a str,
    service: &'static str,
    kind: &'static str,
) -> impl Iterator<Item = &'a str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = text[from..].find("arn:aws") {
            let start = from + at;
            let reach = text.floor_char_boundary(start + MAX_ARN_BYTES + 1);
            let is_end = |c: char| !(c.is_ascii_alphanumeric() || ":/_-+=@$.".contains(c));
            let arn = text[start..reach].split(is_end).next()?;
            // None begins within another: a long record may hold very many beginnings, and no byte of
            // it is looked at twice.
            from = start + arn.len();
            let is_whole = arn.len() <= MAX_ARN_BYTES;
            let arn = arn.trim_end_matches([':', '.', '/']);
            if is_whole && arn.contains(service) && arn.contains(kind) && is_arn(arn) {
                return Some(arn);
            }
        }
        None
    })
}

/// How a logger that adds the invocation's context to each record, as Powertools does, names the
/// function it runs in: its ARN and its name. Beside the memory size or the request id of a function,
/// such a field is no parameter of a call.
pub(super) fn context_function(text: &str) -> [Option<&str>; 2] {
    const SIGNS: [&str; 4] =
        ["function_memory_size", "functionMemorySize", "function_request_id", "functionRequestId"];
    const FIELDS: [[&str; 2]; 2] =
        [["function_arn", "functionArn"], ["function_name", "functionName"]];
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
    };
    if !SIGNS.iter().any(|sign| field(sign).is_some()) {
        return [None, None];
    }
    FIELDS.map(|names| names.iter().find_map(|name| field(name)))
}

/// The SDK operation that failed, as boto3 and the SDK for Go say it, and as it stands in the
/// stacks of Node.js, Java and .NET.
pub(super) fn operation(text: &str) -> Option<String> {
    let boto3 = || text.split_once(") when calling the ")?.1.split(" operation").next();
    let go = || text.split_once("operation error ")?.1.split_once(": ")?.1.split(',').next();
    let node = || text.split_once(" de_")?.1.split("CommandError").next();
    let dotnet = || method(text, "Amazon", "Client.")?.strip_suffix("Async");
    let named = [boto3(), go(), node(), dotnet()].into_iter().flatten().map(str::to_owned);
    let java = || {
        let method = method(text, "Default", "Client.")?;
        let first = method.chars().next().filter(char::is_ascii_lowercase)?;
        Some(first.to_ascii_uppercase().to_string() + &method[1..])
    };
    // A function may have put anything there.
    named.chain(java()).find(|name| is_operation(name))
}

/// The method after a class name that begins and ends like this.
fn method<'a>(text: &'a str, begins: &str, ends: &str) -> Option<&'a str> {
    let (before, after) = text.split_once(ends)?;
    let class = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let name = after.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    class.starts_with(begins).then_some(name)
}

/// The HTTP status of an answer that reports an error.
pub(super) fn status_code(text: &str) -> Option<u16> {
    // Java; Go; Node.js and its JSON; Rust; boto3's response.
    const NAMES: [&str; 6] = [
        "Status Code: ",
        "StatusCode: ",
        "httpStatusCode: ",
        "\"httpStatusCode\":",
        "StatusCode(",
        "'HTTPStatusCode': ",
    ];
    let code = |name: &&str| {
        let digits = text.split_once(*name)?.1.split(|c: char| !c.is_ascii_digit()).next()?;
        (digits.len() == 3).then(|| digits.parse().ok()).flatten()
    };
    NAMES.iter().find_map(code).filter(|code| (400..600).contains(code))
}

/// The name of the function in the URL or the parameters of an Invoke, synchronous or not.
pub(super) fn called_function(text: &str) -> Option<&str> {
    // `/2015-03-31/functions/orders/invocations`; `/2014-11-13/functions/orders/invoke-async/`
    let url = || {
        let (name, after) = text.split_once("/functions/")?.1.split_once('/')?;
        ["invocations", "invoke-async"].iter().any(|end| after.starts_with(end)).then_some(name)
    };
    const NAMES: [&str; 4] = ["FunctionName", "functionName", "function_name", "function-name"];
    let parameter = || NAMES.iter().find_map(|name| parameter(text, name));
    url().and_then(named).or_else(|| parameter().and_then(named))
}

/// The value of a parameter where it is written, and not computed, as in a line of a program.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (before, after) = text.split_once(name)?;
    let after = after.trim_start_matches(['\\', '"', '\'']).trim_start();
    let (is_assigned, value) = match after.strip_prefix('=') {
        Some(value) => (true, value),
        None => (false, after.strip_prefix(':')?),
    };
    let value = value.trim_start();
    let value = value.strip_prefix("Some(").unwrap_or(value);
    let quoted = value.trim_start_matches(['\\', '"', '\'']);
    let word = quoted.split(is_boundary).next()?;
    let rest = &quoted[word.len()..];
    let is_written = if quoted.len() < value.len() {
        // `"orders-" + stage`
        let rest = rest.trim_start_matches(['\\', '"', '\'']).trim_start();
        !rest.starts_with(['+', '%', '.'])
    } else {
        // `function_name=orders status=403`, and not `invoke(FunctionName=target, Payload=b"")`
        !is_assigned
            || !before.trim_end().ends_with(['(', '{', ','])
                && (rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
    };
    is_written.then_some(word)
}

/// A function's name, in one of the ways in which Invoke takes it: `orders`, `orders:live`, and what is
/// part of an ARN, also as a URL has it.
fn named(value: &str) -> Option<&str> {
    let value = [":function:", "%3Afunction%3A", "%3afunction%3a"]
        .iter()
        .find_map(|kind| Some(value.split_once(kind)?.1))
        .unwrap_or(value);
    let name = value.split([':', '%']).next()?;
    (is_plain_name(name) && !name.contains('.')).then_some(name)
}

/// A file system's id.
pub(super) fn file_system_id(text: &str) -> Option<&str> {
    let ids = text.match_indices("fs-").map(|(at, _)| &text[at..]);
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    ids.filter_map(|id| id.split(is_end).next()).find(|id| is_resource_id(id))
}

/// The first host of an endpoint of AWS, without what names a customer's own resource:
/// `***.s3.eu-west-1.amazonaws.com`. Other hosts are the function's own business.
pub(crate) fn aws_host(text: &str) -> Option<String> {
    const DOMAIN: &str = ".amazonaws.com";
    let is_host = |b: &u8| b.is_ascii_alphanumeric() || b".-_".contains(b);
    for (at, domain) in text.match_indices(DOMAIN).take(16) {
        let bytes = text.as_bytes();
        let end = at + domain.len();
        let end = end + if text[end..].starts_with(".cn") { 3 } else { 0 };
        let goes_on = text[end..].trim_start_matches('.').bytes().next();
        let start = bytes[..at].iter().rposition(|b| !is_host(b)).map_or(0, |at| at + 1);
        if text[end..].starts_with('.') && goes_on.is_some_and(|b| is_host(&b)) {
            continue;
        }
        let (name, end) = (&text[start..at], &text[at..end]);
        let is_shown = |label: &&str| {
            is_region(label) || is_resource_id(label) || is_endpoint(&format!("{label}{DOMAIN}"))
        };
        let labels: Vec<&str> = name.split('.').rev().take_while(is_shown).collect();
        let shown = labels.into_iter().rev().collect::<Vec<_>>().join(".");
        let hidden = if shown.len() == name.len() { "" } else { "***." };
        if !shown.is_empty() && shown.len() <= 128 {
            return Some(format!("{hidden}{shown}{end}"));
        }
    }
    None
}

/// `Decrypt`, `ListObjectsV2`
fn is_operation(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && name.bytes().filter(u8::is_ascii_digit).count() <= 2
        && name.bytes().any(|b| b.is_ascii_lowercase())
}

/// What IAM refused, and to whom.
pub(super) struct Denied<'a> {
    pub(super) action: &'a str,
    pub(super) principal: Option<String>,
}

/// `User: ARN is not authorized to perform: kms:Decrypt on …`
pub(super) fn denied(text: &str) -> Option<Denied<'_>> {
    let (before, after) = text.split_once(" is not authorized to perform: ")?;
    let action = after.split(is_boundary).next()?;
    let (_, name) = action.split_once(':')?;
    if !is_composed_of_words(action) || !is_operation(name) {
        return None;
    }
    let principal = before.rsplit(is_boundary).next().and_then(|arn| {
        let shown = shown_arn(arn).filter(|a| a.len() + MASK.len() <= MAX_ARN_BYTES)?;
        Some(if shown == arn { arn.to_owned() } else { format!("{shown}{MASK}") })
    });
    Some(Denied { action, principal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_arns_of_every_partition() {
        for arn_text in [
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234567890abcdef1234567890abcdef",
            "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
        ] {
            for sentence in [
                format!("see arn:aws:iam::1:role/x and {arn_text} is disabled."),
                format!("\"{arn_text}\""),
                format!("key {arn_text}: no"),
            ] {
                assert_eq!(arns(&sentence, ":kms:", ":key/").next(), Some(arn_text));
            }
        }
        assert_eq!(arns("arn:aws:kms:eu-west-1:1:alias/x", ":kms:", ":key/").next(), None);
    }

    #[test]
    fn the_called_function_as_sdks_name_it() {
        for text in [
            r#"client("lambda").invoke(FunctionName="orders", InvocationType="Event", Payload=b"{}")"#,
            "invoke(\n        FunctionName='orders',\n        InvocationType='RequestResponse')",
            "input: { FunctionName: 'orders', InvocationType: 'Event' }",
            r#"{\"FunctionName\":\"orders\",\"InvocationType\":\"Event\"}"#,
            "FunctionName: orders\nInvocationType: Event",
            "level=error function_name=orders status=403",
            r#"InvokeInput { function_name: Some("orders"), invocation_type: Some(Event) }"#,
            "POST https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/orders/invocations",
            "https://lambda.eu-west-1.amazonaws.com/2014-11-13/functions/orders/invoke-async/",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aorders%3Alive/invocations",
            "FunctionName='123456789012:function:orders'",
            "FunctionName='orders:live'",
        ] {
            assert_eq!(called_function(text), Some("orders"), "{text}");
        }
        for text in [
            r#"client("lambda").invoke(FunctionName=target, Payload=b"{}")"#,
            r#"invoke(Payload=b"{}", FunctionName=target)"#,
            "invoke(\n        FunctionName=target,\n        Payload=b'')",
            "invoke(\n        FunctionName=target\n    )",
            r#"invoke(FunctionName=f"orders-{stage}")"#,
            r#"invoke(FunctionName="orders-" + stage)"#,
            r#"invoke(FunctionName="orders-%s" % stage)"#,
            r#"invoke(FunctionName=os.environ["TARGET"])"#,
            "/2015-03-31/functions/orders/configuration",
            "FunctionName",
        ] {
            assert_eq!(called_function(text), None, "{text}");
        }
    }

    #[test]
    fn a_logger_s_context_names_the_function_it_runs_in() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        let context = format!("function_arn: {arn}\nfunction_name: orders\n");
        for size in ["function_memory_size: 128", "function_request_id: x"] {
            let text = format!("level: ERROR\n{size}\n{context}message: x");
            assert_eq!(context_function(&text), [Some(arn), Some("orders")]);
        }
        let text = "functionName: orders\nfunctionMemorySize: 128";
        assert_eq!(context_function(text), [None, Some("orders")]);
        assert_eq!(context_function(&context), [None, None]);
    }

    #[test]
    fn what_begins_like_an_arn_is_looked_at_once() {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
        assert_eq!(arns(&format!("arn:aws{key}"), ":kms:", ":key/").next(), None);
        let long = "arn:aws".repeat(100_000);
        assert_eq!(arns(&format!("{long} {key}"), ":kms:", ":key/").next(), Some(key));
    }

    #[test]
    fn finds_the_operation() {
        for text in [
            "An error occurred (X) when calling the GenerateDataKey operation: y",
            "operation error KMS: GenerateDataKey, https response error StatusCode: 400",
            "    at de_GenerateDataKeyCommandError (/var/task/index.js:1:2)",
            "  at software.amazon.awssdk.services.kms.DefaultKmsClient.generateDataKey(DefaultKmsClient.java:1)",
            "   at Amazon.KeyManagementService.AmazonKeyManagementServiceClient.GenerateDataKeyAsync(Request r)",
        ] {
            assert_eq!(operation(text).as_deref(), Some("GenerateDataKey"));
        }
        assert_eq!(operation("when calling the Hunter operation"), None);
        for text in ["secret=1", "hunter", "AKIA1234567890", "AKIAIOSFODNN7EXAMPLE", "A b"] {
            assert_eq!(operation(&format!("(X) when calling the {text} operation")), None);
            assert_eq!(operation(&format!("operation error {text}: {text}, x")), None);
        }
    }

    #[test]
    fn finds_what_was_denied_and_to_whom() {
        let role = "arn:aws:iam::123456789012:role/orders-role";
        let session = "arn:aws:sts::123456789012:assumed-role/orders-role/";
        for (user, principal) in [
            (role.to_owned(), Some(role.to_owned())),
            (format!("{session}hunter@example.org"), Some(format!("{session}***"))),
            ("hunter".to_owned(), None),
        ] {
            let text = format!("User: {user} is not authorized to perform: kms:Decrypt on x");
            let found = denied(&text).unwrap();
            assert_eq!((found.action, found.principal), ("kms:Decrypt", principal));
        }
        for action in [
            "kms:CreateGrant",
            "kms:DeriveSharedSecret",
            "kms:GenerateDataKeyPairWithoutPlaintext",
            "kms:GenerateMac",
            "kms:GenerateRandom",
            "kms:ReEncryptFrom",
            "kms:RetireGrant",
            "kms:VerifyMac",
            "secretsmanager:GetSecretValue",
        ] {
            let text = format!("x is not authorized to perform: {action} on x");
            assert_eq!(denied(&text).map(|denied| denied.action), Some(action));
        }
        for action in ["kms:hunter2", "kms:Hunter", "hunter:Decrypt", "Decrypt", ""] {
            assert!(denied(&format!("x is not authorized to perform: {action} on x")).is_none());
        }
    }

    #[test]
    fn finds_the_status_in_each_sdks_words() {
        for text in [
            "(Service: Kms, Status Code: 429, Request ID: x)",
            "https response error StatusCode: 429, RequestID: x",
            "  '$metadata': { httpStatusCode: 429, attempts: 1 }",
            "\"$metadata\":{\"httpStatusCode\":429}",
            "Response { status: StatusCode(429), headers",
            "{'ResponseMetadata': {'HTTPStatusCode': 429}}",
        ] {
            assert_eq!(status_code(text), Some(429), "{text}");
        }
        for text in ["Status Code: 200", "Status Code: 4111111111111111", "Status Code: x"] {
            assert_eq!(status_code(text), None, "{text}");
        }
    }

    #[test]
    fn finds_the_name_of_the_function_that_was_called() {
        for text in [
            "POST https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/billing-2/invocations",
            "{ FunctionName: 'billing-2' }",
            "{\\\"FunctionName\\\":\\\"billing-2\\\"}",
            "InvokeInput { function_name: Some(\"billing-2\"), x",
            "FunctionName=billing-2",
        ] {
            assert_eq!(called_function(text), Some("billing-2"), "{text}");
        }
        for text in [
            "FunctionName is wJalrXUtnFEMI",
            "FunctionName: 'wJalrXUtnFEMI7K7MDENG5bPxRfiCYEXAMPLEKEY0'",
            "FunctionName: ''",
        ] {
            assert_eq!(called_function(text), None, "{text}");
        }
    }

    #[test]
    fn of_a_host_only_aws_s_part_is_shown() {
        for (text, host) in [
            (
                "lookup kms.eu-west-1.amazonaws.com on 169.254.78.1:53",
                Some("kms.eu-west-1.amazonaws.com"),
            ),
            (
                "\"https://hunter2.s3.eu-west-1.amazonaws.com/a\"",
                Some("***.s3.eu-west-1.amazonaws.com"),
            ),
            ("sqs.cn-north-1.amazonaws.com.cn", Some("sqs.cn-north-1.amazonaws.com.cn")),
            (
                "fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com",
                Some("fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com"),
            ),
            ("kms.amazonaws.com.hunter2.example", None),
            ("hunter2.amazonaws.com", None),
            ("db.example.org", None),
        ] {
            assert_eq!(aws_host(text).as_deref(), host, "{text}");
        }
        assert_eq!(
            file_system_id("fs-x and fs-0123456789abcdef0: x"),
            Some("fs-0123456789abcdef0")
        );
    }
}
