//! Which call a log record says has failed: whether it was an invocation of another function.

/// The call to AWS that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedCall {
    /// Lambda's Invoke, in one of its forms.
    Invoke,
    /// Another operation or another service.
    Other,
    /// The text names none.
    Unknown,
}

/// What a text says.
pub(crate) fn failed_call(text: &str) -> FailedCall {
    let invoke_or_other =
        |is_invoke: bool| if is_invoke { FailedCall::Invoke } else { FailedCall::Other };
    // boto3
    if let Some((_, after)) = text.split_once(") when calling the ") {
        return invoke_or_other(after.split(' ').next().is_some_and(is_invoke));
    }
    // Go
    if let Some((_, after)) = text.split_once("operation error ") {
        let operation = after.strip_prefix("Lambda: ").and_then(|rest| rest.split(',').next());
        return invoke_or_other(operation.is_some_and(is_invoke));
    }
    // PHP
    if let Some((_, after)) = text.split_once("Error executing ") {
        let after = after.trim_start_matches(['\\', '"']);
        let operation = after.split(|c: char| !c.is_ascii_alphanumeric()).next();
        let is_lambda = text.contains("Aws\\Lambda\\") || text.contains("https://lambda.");
        return invoke_or_other(is_lambda && operation.is_some_and(is_invoke));
    }
    if LAMBDA.iter().any(|sign| text.contains(sign)) {
        return invoke_or_other(!names_another_method(text));
    }
    if OTHERS.iter().any(|sign| text.contains(sign)) {
        return FailedCall::Other;
    }
    FailedCall::Unknown
}

/// How SDKs, and Lambda's own messages, name Lambda: Java, Node.js, .NET, Ruby, Rust, the URL.
const LAMBDA: [&str; 23] = [
    "Service: Lambda,",
    "Service: AWSLambda;",
    "services.lambda.model.",
    "services.lambda.Default",
    "client-lambda",
    "Amazon.Lambda.Model.",
    "AmazonLambdaException",
    "Aws::Lambda::Errors::",
    "aws_sdk_lambda",
    "com.amazonaws.lambda#",
    "/invocations",
    "Lambda was unable to decrypt the environment variables",
    // The Reason of a 429, which no other service gives.
    "Reason: 'ConcurrentInvocationLimitExceeded",
    "FunctionConcurrentInvocationLimitExceeded",
    "\"ConcurrentInvocationLimitExceeded",
    "Some(ConcurrentInvocationLimitExceeded",
    "Reason: ConcurrentInvocationLimitExceeded",
    "FunctionInvocationRateLimitExceeded",
    "ConcurrentSnapshotCreateLimitExceeded",
    "Reason: CallerRateLimitExceeded",
    "Reason: 'CallerRateLimitExceeded",
    "\"CallerRateLimitExceeded",
    "Some(CallerRateLimitExceeded",
];

/// How they name any service: those that are left when Lambda is none of them.
const OTHERS: [&str; 9] = [
    "(Service: ",
    "amazonaws.services.",
    "awssdk.services.",
    "@aws-sdk/client-",
    "Aws::",
    "aws_sdk_",
    "com.amazonaws.",
    ".Model.",
    "KMSServiceException",
];

/// `Invoke`, `InvokeWithResponseStream`, `InvokeAsync`, `Invoke20150331`
fn is_invoke(operation: &str) -> bool {
    let version = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit());
    match operation.strip_prefix("Invoke") {
        Some("Async" | "WithResponseStream") => true,
        Some(rest) => version(rest),
        None => false,
    }
}

/// Whether a stack names a method of Lambda's client that is not Invoke, as Java's and .NET's do.
fn names_another_method(text: &str) -> bool {
    let methods = text.match_indices("LambdaClient.").filter_map(|(at, sign)| {
        let rest = &text[at + sign.len()..];
        rest.split(|c: char| !c.is_ascii_alphanumeric()).next().filter(|name| !name.is_empty())
    });
    let (mut invokes, mut others) = (false, false);
    for method in methods.take(64) {
        let method = method.to_ascii_lowercase();
        if method.contains("invoke") {
            invokes = true;
        } else if !["send", "execute", "java", "js", "ts", "cs", "class"].contains(&&*method) {
            others = true;
        }
    }
    others && !invokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_in_each_sdks_words() {
        for text in [
            "(TooManyRequestsException) when calling the Invoke operation: Rate Exceeded.",
            "(X) when calling the Invoke20150331 operation: y",
            "operation error Lambda: Invoke, https response error StatusCode: 429",
            "software.amazon.awssdk.services.lambda.model.TooManyRequestsException: Rate Exceeded. (Service: Lambda, Status Code: 429)",
            "com.amazonaws.services.lambda.model.TooManyRequestsException: x (Service: AWSLambda; Status Code: 429)",
            "    at /var/task/node_modules/@aws-sdk/client-lambda/dist-cjs/index.js:2",
            "Amazon.Lambda.Model.TooManyRequestsException: Rate Exceeded.\n   at Amazon.Lambda.AmazonLambdaClient.InvokeAsync(InvokeRequest r)",
            "Aws\\Lambda\\Exception\\LambdaException: Error executing \"Invoke\" on \"https://lambda.eu-west-1.amazonaws.com/x\"; AWS HTTP error",
            "Rate Exceeded. (Aws::Lambda::Errors::TooManyRequestsException)",
            "reason: Some(ReservedFunctionConcurrentInvocationLimitExceeded)",
            "{\"Reason\":\"CallerRateLimitExceeded\"}",
            "  Type: 'User',\n  Reason: 'CallerRateLimitExceeded'\n}",
            "Type: User\nReason: CallerRateLimitExceeded\n",
        ] {
            assert_eq!(failed_call(text), FailedCall::Invoke, "{text}");
        }
    }

    #[test]
    fn other_calls_and_none() {
        for text in [
            "(ResourceConflictException) when calling the AddPermission operation: x",
            "(X) when calling the InvokeModel operation: y",
            "operation error Lambda: AddPermission, https response error",
            "operation error SNS: Publish, https response error",
            "Aws\\Sqs\\Exception\\SqsException: Error executing \"SendMessage\" on \"https://sqs.eu-west-1.amazonaws.com\"; AWS HTTP error",
            "(Service: Sns, Status Code: 400)",
            "services.lambda.model.ResourceConflictException: x\n at software.amazon.awssdk.services.lambda.DefaultLambdaClient.addPermission(DefaultLambdaClient.java:1)",
            "@aws-sdk/client-cognito-identity-provider",
        ] {
            assert_eq!(failed_call(text), FailedCall::Other, "{text}");
        }
        for text in ["KMSDisabledException: x", "invoking Lambda failed"] {
            assert_eq!(failed_call(text), FailedCall::Unknown, "{text}");
        }
    }
}
