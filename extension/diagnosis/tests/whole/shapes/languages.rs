//! How each language and SDK prints an error.

use super::failures::Failure;
use serde_json::json;

const REQUEST_ID: &str = "5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e";

/// An error as a program holds and prints it.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    pub(crate) language: &'static str,
    /// All of it, as it comes out where no logger takes it to pieces.
    pub(crate) text: String,
    /// The pieces that loggers of objects take: its type, its message, its stack.
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) stack: String,
    /// Whether it names the service that answered.
    pub(crate) names_service: bool,
    /// Whether it holds the code.
    pub(crate) holds_code: bool,
}

impl Printed {
    fn new(language: &'static str, text: String) -> Self {
        Self {
            language,
            kind: "Error".into(),
            message: text.lines().next().unwrap_or_default().to_owned(),
            stack: text.clone(),
            text,
            names_service: true,
            holds_code: true,
        }
    }
}

/// Everything that may be seen of it.
pub(crate) fn printed(failure: &Failure) -> Vec<Printed> {
    [python, node, java, go, rust, dotnet, ruby, php, raw].iter().flat_map(|f| f(failure)).collect()
}

fn python(f: &Failure) -> Vec<Printed> {
    let Failure { code, operation, message, .. } = f;
    let said =
        format!("An error occurred ({code}) when calling the {operation} operation: {message}");
    let frames = "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 8, in handler\n    client.call()\n  File \"/var/lang/lib/python3.13/site-packages/botocore/client.py\", line 602, in _api_call\n    return self._make_api_call(operation_name, kwargs)\n  File \"/var/lang/lib/python3.13/site-packages/botocore/client.py\", line 1078, in _make_api_call\n    raise error_class(parsed_response, operation_name)";
    let (module, class) = match &f.class {
        Some(class) => ("botocore.errorfactory", class.as_str()),
        None => ("botocore.exceptions", "ClientError"),
    };
    let whole = |language, text: String| Printed {
        kind: class.to_owned(),
        message: said.clone(),
        stack: format!("{frames}\n{module}.{class}: {said}"),
        ..Printed::new(language, text)
    };
    let response = format!(
        "{{'Error': {{'Message': {message:?}, 'Code': '{code}'}}, 'ResponseMetadata': {{'RequestId': '{REQUEST_ID}', 'HTTPStatusCode': 400, 'HTTPHeaders': {{'x-amzn-requestid': '{REQUEST_ID}', 'content-type': 'application/x-amz-json-1.1', 'content-length': '109'}}, 'RetryAttempts': 0}}, 'message': {message:?}}}"
    );
    let uncaught = format!(
        "[ERROR] {class}: {said}\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 8, in handler\n    client.call()\n"
    );
    vec![
        whole("python str", said.clone()),
        whole("python repr", format!("{class}({said:?})")),
        whole("python traceback", format!("{frames}\n{module}.{class}: {said}")),
        whole("python exception()", format!("failed\n{frames}\n{module}.{class}: {said}")),
        whole(
            "python exception() while handling",
            format!(
                "failed\n{frames}\n{module}.{class}: {said}\n\nDuring handling of the above exception, another exception occurred:\n\n{frames}\nRuntimeError: could not load"
            ),
        ),
        whole("python uncaught", uncaught.clone()),
        whole("python uncaught with CR", uncaught.replace('\n', "\r")),
        Printed { names_service: false, ..Printed::new("python response", response) },
        Printed::new("aws cli", format!("\naws: [ERROR]: {said}\n")),
    ]
}

fn node(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, .. } = f;
    let stack = format!(
        "{code}: {message}\n    at throwDefaultError (/var/task/node_modules/@smithy/smithy-client/dist-cjs/index.js:388:20)\n    at de_CommandError (/var/task/node_modules/@aws-sdk/client-{}/dist-cjs/index.js:2131:14)\n    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)\n    at async /var/task/node_modules/@smithy/core/dist-cjs/index.js:167:18\n    at async Runtime.handler (file:///var/task/index.mjs:9:3)",
        service.package
    );
    let v3 = |language, text: String| Printed {
        kind: code.clone(),
        message: message.clone(),
        stack: stack.clone(),
        ..Printed::new(language, text)
    };
    let inspected = format!(
        "{stack} {{\n  '$fault': 'client',\n  '$metadata': {{\n    httpStatusCode: 400,\n    requestId: '{REQUEST_ID}',\n    extendedRequestId: undefined,\n    cfId: undefined,\n    attempts: 1,\n    totalRetryDelay: 0\n  }},\n  __type: '{code}'\n}}"
    );
    let v2_stack = format!(
        "{code}: {message}\n    at Request.extractError (/var/runtime/node_modules/aws-sdk/lib/protocol/json.js:52:27)\n    at Request.callListeners (/var/runtime/node_modules/aws-sdk/lib/sequential_executor.js:106:20)"
    );
    let v2 = Printed {
        kind: code.clone(),
        message: message.clone(),
        stack: v2_stack.clone(),
        names_service: false,
        ..Printed::new(
            "node v2",
            format!(
                "{v2_stack} {{\n  code: '{code}',\n  time: 2026-03-01T12:00:00.020Z,\n  requestId: '{REQUEST_ID}',\n  statusCode: 400,\n  retryable: false,\n  retryDelay: 42.3\n}}"
            ),
        )
    };
    let json = |kind: &str| {
        let lines: Vec<&str> = stack.lines().collect();
        json!({"errorType": kind, "errorMessage": message, "name": code, "$fault": "client", "$metadata": {"httpStatusCode": 400, "requestId": REQUEST_ID, "attempts": 1, "totalRetryDelay": 0}, "__type": code, "stack": lines})
    };
    let rejected = json!({"errorType": "Runtime.UnhandledPromiseRejection", "errorMessage": format!("{code}: {message}"), "reason": json(code), "promise": {}, "stack": [format!("Runtime.UnhandledPromiseRejection: {code}: {message}"), "    at process.<anonymous> (file:///var/runtime/index.mjs:1326:17)", "    at process.emit (node:events:519:28)"]});
    let wrapped = format!(
        "Error: could not load\n    at handler (file:///var/task/index.mjs:12:11) {{\n  [cause]: {}\n}}",
        inspected.replace('\n', "\n  ")
    );
    vec![
        v3("node v3", inspected.clone()),
        v3("node v3 after words", format!("could not load {inspected}")),
        v3("node v3 as a cause", wrapped),
        v3("node v3 stack", stack.clone()),
        v3("node Invoke Error", format!("Invoke Error \t{}", json(code))),
        v3("node Uncaught Exception", format!("Uncaught Exception \t{}", json(code))),
        v3("node Unhandled Promise Rejection", format!("Unhandled Promise Rejection \t{rejected}")),
        v2,
    ]
}

fn java(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, .. } = f;
    let of = |version: u8| {
        let general =
            if version == 1 { service.java_1.replace(' ', "") } else { service.camel.to_owned() };
        let class = f.class.clone().unwrap_or(format!("{general}Exception"));
        let package = if version == 1 {
            format!("com.amazonaws.services.{}.model", service.package)
        } else {
            format!("software.amazon.awssdk.services.{}.model", service.package)
        };
        let said = if version == 1 {
            format!(
                "{message} (Service: {}; Status Code: 400; Error Code: {code}; Request ID: {REQUEST_ID}; Proxy: null)",
                service.java_1
            )
        } else {
            format!(
                "{message} (Service: {}, Status Code: 400, Request ID: {REQUEST_ID}) (SDK Attempt Count: 1)",
                service.camel
            )
        };
        (format!("{package}.{class}"), said)
    };
    let frames = "\tat software.amazon.awssdk.core.internal.http.CombinedResponseHandler.handleErrorResponse(CombinedResponseHandler.java:125)\n\tat software.amazon.awssdk.core.internal.http.pipeline.stages.RetryableStage.execute(RetryableStage.java:81)\n\tat com.example.Handler.handleRequest(Handler.java:42)";
    let mut all = Vec::new();
    for version in [1, 2] {
        let (kind, said) = of(version);
        let thrown = format!("{kind}: {said}\n{frames}");
        let made = |language, text: String| Printed {
            kind: kind.clone(),
            message: said.clone(),
            stack: thrown.clone(),
            holds_code: version == 1 || f.class.is_some(),
            ..Printed::new(language, text)
        };
        let (plain, chain, thread, json) = if version == 1 {
            ("java 1", "java 1 caused by", "java 1 in a thread", "java 1 runtime")
        } else {
            ("java 2", "java 2 caused by", "java 2 in a thread", "java 2 runtime")
        };
        let lines: Vec<&str> =
            frames.lines().map(|line| line.trim_start_matches("\tat ")).collect();
        all.extend([
            made(plain, thrown.clone()),
            made(chain, format!("java.lang.IllegalStateException: could not load\n{frames}\nCaused by: {thrown}\n\t... 12 more")),
            made(thread, format!("Exception in thread \"main\" {thrown}")),
            made(json, json!({"errorMessage": said, "errorType": kind, "stackTrace": lines, "cause": null}).to_string()),
        ]);
    }
    all
}

fn go(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, operation, .. } = f;
    let api = if f.class.is_some() { "" } else { "api error " };
    let said = format!(
        "operation error {}: {operation}, https response error StatusCode: 400, RequestID: {REQUEST_ID}, {api}{code}: {message}",
        service.name
    );
    let wrapped = format!("load the order: {said}");
    let json = json!({"errorMessage": said, "errorType": "OperationError"}).to_string();
    let made = |language, text: String| Printed {
        message: said.clone(),
        kind: "*smithy.OperationError".into(),
        ..Printed::new(language, text)
    };
    vec![made("go", said.clone()), made("go wrapped", wrapped), made("go runtime", json)]
}

fn rust(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, .. } = f;
    let shown = match &f.class {
        Some(class) if class == code => format!("{code}: {message}"),
        Some(class) => format!("{class} [{code}]: {message}"),
        None => format!("unhandled error ({code})"),
    };
    let variant = f.class.as_deref().unwrap_or("Unhandled");
    let meta = format!(
        "ErrorMetadata {{ code: Some({code:?}), message: Some({message:?}), extras: Some({{\"aws_request_id\": {REQUEST_ID:?}}}) }}"
    );
    let source = match &f.class {
        Some(class) => format!("{class}({class} {{ message: Some({message:?}), meta: {meta} }})"),
        None => format!("Unhandled(Unhandled {{ source: {meta}, meta: {meta} }})"),
    };
    let debug = format!(
        "ServiceError(ServiceError {{ source: {source}, raw: Response {{ status: StatusCode(400), headers: Headers {{ headers: {{\"content-type\": HeaderValue {{ _private: H0(\"application/x-amz-json-1.1\") }}}} }}, body: SdkBody {{ inner: Once(Some(b\"{{}}\")), retryable: true }}, extensions: Extensions {{ extensions_02x: Extensions, extensions_1x: Extensions }} }} }})"
    );
    let meta = format!("ErrorMetadata {{\n{{}}    code: Some(\n{{}}        {code:?},\n{{}}    ),\n{{}}    message: Some(\n{{}}        {message:?},\n{{}}    ),\n{{}}    extras: Some(\n{{}}        {{\n{{}}            \"aws_request_id\": {REQUEST_ID:?},\n{{}}        }},\n{{}}    ),\n{{}}}}").replace("{}", "                ");
    let source = match &f.class {
        Some(class) => format!(
            "{class}(\n            {class} {{\n                message: Some(\n                    {message:?},\n                ),\n                meta: {meta},\n            }},\n        )"
        ),
        None => format!(
            "Unhandled(\n            Unhandled {{\n                source: {meta},\n                meta: {meta},\n            }},\n        )"
        ),
    };
    let pretty = format!(
        "ServiceError(\n    ServiceError {{\n        source: {source},\n        raw: Response {{\n            status: StatusCode(\n                400,\n            ),\n            headers: Headers {{\n                headers: {{\n                    \"content-type\": HeaderValue {{\n                        _private: H0(\n                            \"application/x-amz-json-1.1\",\n                        ),\n                    }},\n                }},\n            }},\n        }},\n    }},\n)"
    );
    // The crate is named by targets and by back traces alone.
    let names = |printed: Printed| Printed { names_service: false, ..printed };
    let context = format!("service error: {shown}: {shown} ({debug})");
    vec![
        names(Printed::new("rust {:?}", debug.clone())),
        names(Printed::new("rust {:#?}", pretty.clone())),
        names(Printed::new("rust main", format!("Error: {debug}"))),
        names(Printed::new("rust DisplayErrorContext", context)),
        Printed {
            holds_code: true,
            ..Printed::new(
                "rust with its crate",
                format!("{variant}: {debug}\n   0: aws_sdk_{}::operation::call", service.package),
            )
        },
    ]
}

fn dotnet(f: &Failure) -> Vec<Printed> {
    let Failure { message, service, .. } = f;
    let class = f.class.clone().unwrap_or(format!("Amazon{}Exception", service.dotnet));
    let kind = format!("Amazon.{}.Model.{class}", service.dotnet);
    let kind = if f.class.is_some() { kind } else { format!("Amazon.{}.{class}", service.dotnet) };
    let frames = "   at Amazon.Runtime.Internal.HttpErrorResponseExceptionHandler.HandleExceptionStream(IRequestContext requestContext, IWebResponseData httpErrorResponse, HttpErrorResponseException exception, Stream responseStream)\n   at Amazon.Runtime.Internal.RetryHandler.InvokeAsync[T](IExecutionContext executionContext)\n   at Orders.Function.Handler(Stream input) in /src/Function.cs:line 42";
    let text = format!(
        "{kind}: {message}\n ---> Amazon.Runtime.Internal.HttpErrorResponseException: Exception of type 'Amazon.Runtime.Internal.HttpErrorResponseException' was thrown.\n   at Amazon.Runtime.HttpWebRequestMessage.ProcessHttpResponseMessage(HttpResponseMessage responseMessage)\n   --- End of inner exception stack trace ---\n{frames}"
    );
    let made = |language, text: String| Printed {
        kind: kind.clone(),
        message: message.clone(),
        stack: format!("{kind}: {message}\n{frames}"),
        holds_code: f.class.is_some(),
        ..Printed::new(language, text)
    };
    let lines: Vec<&str> = frames.lines().map(str::trim_start).collect();
    let runtime = json!({"errorType": class, "errorMessage": message, "stackTrace": lines, "cause": {"errorType": "HttpErrorResponseException", "errorMessage": "Exception of type 'Amazon.Runtime.Internal.HttpErrorResponseException' was thrown.", "stackTrace": ["at Amazon.Runtime.HttpWebRequestMessage"]}});
    vec![
        made(".NET", text.clone()),
        made(".NET unhandled", format!("Unhandled exception. {text}")),
        made(
            ".NET aggregate",
            format!(
                "System.AggregateException: One or more errors occurred. ({message})\n ---> {text}"
            ),
        ),
        Printed {
            names_service: false,
            ..made(".NET runtime", serde_json::to_string_pretty(&runtime).unwrap())
        },
    ]
}

fn ruby(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, .. } = f;
    // Ruby makes the class of the code.
    let kind = format!("Aws::{}::Errors::{}", service.name, code.replace('.', ""));
    let made = |language, text: String| Printed {
        kind: kind.clone(),
        message: message.clone(),
        stack: format!("/var/task/app.rb:8:in `handler': {message} ({kind})"),
        holds_code: !code.contains('.'),
        ..Printed::new(language, text)
    };
    let frames = [
        "/var/runtime/gems/aws-sdk-core-3.200.0/lib/seahorse/client/plugins/raise_response_errors.rb:17:in `call'",
        "/var/task/app.rb:8:in `handler'",
    ];
    let raised = json!({"errorMessage": message, "errorType": format!("Function<{kind}>"), "stackTrace": frames});
    vec![
        made(
            "ruby full_message",
            format!("{}: {message} ({kind})\n\tfrom {}", frames[0], frames[1]),
        ),
        made("ruby inspect", format!("#<{kind}: {message}>")),
        made("ruby class and message", format!("{kind}: {message}")),
        made(
            "ruby runtime",
            format!(
                "Error raised from handler method\n{}",
                serde_json::to_string_pretty(&raised).unwrap()
            ),
        ),
        made("ruby runtime in one line", format!("Error raised from handler method\n{raised}")),
    ]
}

fn php(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, operation, .. } = f;
    let body = json!({"__type": code, "message": message});
    let (package, camel) = (service.package, service.camel);
    let text = format!(
        "Aws\\{camel}\\Exception\\{camel}Exception: Error executing \"{operation}\" on \"https://{package}.eu-west-1.amazonaws.com\"; AWS HTTP error: Client error: `POST https://{package}.eu-west-1.amazonaws.com` resulted in a `400 Bad Request` response:\n{body}\n {code} (client): {message} - {body} in /var/task/vendor/aws/aws-sdk-php/src/WrappedHttpHandler.php:196\nStack trace:\n#0 /var/task/vendor/aws/aws-sdk-php/src/WrappedHttpHandler.php(98): Aws\\WrappedHttpHandler->parseError(Array, Object(GuzzleHttp\\Psr7\\Request), Array, Array)\n#1 {{main}}"
    );
    let made = |language, text: String| Printed {
        kind: format!("Aws\\{camel}\\Exception\\{camel}Exception"),
        message: text.clone(),
        ..Printed::new(language, text)
    };
    vec![
        made("php", text.clone()),
        made(
            "php fatal",
            format!("PHP Fatal error:  Uncaught {text}\n  thrown in /var/task/index.php on line 8"),
        ),
    ]
}

/// The answer itself.
fn raw(f: &Failure) -> Vec<Printed> {
    let Failure { code, message, service, .. } = f;
    let package = service.package;
    let answer =
        |language, text: String| Printed { names_service: false, ..Printed::new(language, text) };
    vec![
        answer("body", format!("answer 400: {}", json!({"__type": code, "message": message}))),
        Printed::new(
            "body with a shape id",
            format!(
                "answer 400: {}",
                json!({"__type": format!("com.amazonaws.{package}#{code}"), "Message": message})
            ),
        ),
        Printed::new(
            "header",
            format!(
                "HTTP/1.1 400 Bad Request\nx-amzn-RequestId: {REQUEST_ID}\nx-amzn-ErrorType: {code}:http://internal.amazon.com/coral/com.amazonaws.{package}/\n\n{}",
                json!({"message": message})
            ),
        ),
        answer(
            "XML body",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
            ),
        ),
        answer(
            "XML of queries",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            ),
        ),
    ]
}
