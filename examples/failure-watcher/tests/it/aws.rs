//! A stand-in for Lambda, KMS and the tagging API, with what is denied and what is silent.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str =
    "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";

pub(crate) const ACTIONS: [&str; 6] = [
    "kms:DescribeKey",
    "tag:GetResources",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionRecursionConfig",
    "lambda:GetAccountSettings",
];

/// AWS, as far as it is asked. What is denied is answered as IAM denies it, and what is silent not at all,
/// as is what concerns the function `slow`.
pub(crate) async fn aws(
    denied: &'static [&'static str],
    silent: &'static [&'static str],
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, denied, silent));
        }
    });
    format!("http://{address}")
}

async fn serve(
    mut stream: TcpStream,
    denied: &'static [&'static str],
    silent: &'static [&'static str],
) {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        request.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.map_or(0, |length| length.parse().unwrap()) {
            continue;
        }
        let action = action(&head);
        if silent.contains(&action) || head.contains("/functions/slow/") {
            request.clear();
            continue;
        }
        let (status, answer) = if denied.contains(&action) {
            let message = format!("User: x is not authorized to perform: {action}");
            (403, json!({"__type": "AccessDeniedException", "Message": message}))
        } else {
            (200, answer(action))
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-amzn-errortype: {}\r\ncontent-length: {}\r\n\r\n",
            if status == 200 { "" } else { "AccessDeniedException" },
            answer.len()
        );
        stream.write_all((head + &answer).as_bytes()).await.unwrap();
        request.clear();
    }
}

fn action(head: &str) -> &'static str {
    let path = head.split(' ').nth(1).unwrap();
    if head.contains("describekey") {
        "kms:DescribeKey"
    } else if head.contains("getresources") {
        "tag:GetResources"
    } else if path.ends_with("/configuration") {
        "lambda:GetFunctionConfiguration"
    } else if path.ends_with("/concurrency") {
        "lambda:GetFunctionConcurrency"
    } else if path.ends_with("/recursion-config") {
        "lambda:GetFunctionRecursionConfig"
    } else if path.contains("/account-settings") {
        "lambda:GetAccountSettings"
    } else {
        panic!("{head}")
    }
}

fn answer(action: &str) -> Value {
    match action {
        "kms:DescribeKey" => json!({"KeyMetadata": {"KeyId": "x", "KeyState": "Disabled"}}),
        "tag:GetResources" => json!({"ResourceTagMappingList": [{
            "ResourceARN": "arn:aws:lambda:eu-west-1:123456789012:function:left-alone",
            "Tags": [{"Key": "watch", "Value": "no"}],
        }]}),
        "lambda:GetFunctionConfiguration" => json!({
            "FunctionName": "orders",
            "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
            "State": "Pending",
            "StateReasonCode": "Creating",
            "LastModified": "2026-03-01T12:00:00.000+0000",
            "KMSKeyArn": KEY,
            "Environment": {"Variables": {"PASSWORD": "s3cr3t"}},
        }),
        "lambda:GetFunctionConcurrency" => json!({"ReservedConcurrentExecutions": 0}),
        "lambda:GetFunctionRecursionConfig" => json!({"RecursiveLoop": "Allow"}),
        "lambda:GetAccountSettings" => {
            json!({"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}})
        }
        other => panic!("{other}"),
    }
}
