//! What went wrong: an error answer of each service for each problem, as it goes over the wire.

use triage_diagnosis::{View, detectors};

pub(crate) const KEY: &str =
    "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
const KEY_CN: &str =
    "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1234567890abcdef1234567890abcdef";
const KEY_US_GOV: &str =
    "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef";
const ALIAS: &str = "arn:aws:kms:eu-west-1:123456789012:alias/orders";
const ACCESS_POINT: &str =
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0";
const ACCESS_POINT_CN: &str =
    "arn:aws-cn:elasticfilesystem:cn-north-1:123456789012:access-point/fsap-0123456789abcdef0";
const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/orders-role/orders";

/// How each SDK calls a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// As the SDKs for Go and Ruby, in the latter as a module.
    pub(crate) name: &'static str,
    /// As packages have it: `client-kms`, `aws_sdk_kms`, `services.kms`.
    pub(crate) package: &'static str,
    /// As the SDK for Java 1 says it after `Service: `.
    pub(crate) java_1: &'static str,
    /// As the SDKs for Java 2 and PHP.
    pub(crate) camel: &'static str,
    /// The namespace of the SDK for .NET.
    pub(crate) dotnet: &'static str,
}

const fn service(
    name: &'static str,
    package: &'static str,
    java_1: &'static str,
    camel: &'static str,
    dotnet: &'static str,
) -> Service {
    Service { name, package, java_1, camel, dotnet }
}

const KMS: Service = service("KMS", "kms", "AWSKMS", "Kms", "KeyManagementService");
const S3: Service = service("S3", "s3", "Amazon S3", "S3", "S3");
const SQS: Service = service("SQS", "sqs", "AmazonSQS", "Sqs", "SQS");
const SNS: Service = service("SNS", "sns", "AmazonSNS", "Sns", "SimpleNotificationService");
const DYNAMODB: Service =
    service("DynamoDB", "dynamodb", "AmazonDynamoDBv2", "DynamoDb", "DynamoDBv2");
const KINESIS: Service = service("Kinesis", "kinesis", "AmazonKinesis", "Kinesis", "Kinesis");
const SSM: Service =
    service("SSM", "ssm", "AWSSimpleSystemsManagement", "Ssm", "SimpleSystemsManagement");
const SECRETS: Service = service(
    "SecretsManager",
    "secretsmanager",
    "AWSSecretsManager",
    "SecretsManager",
    "SecretsManager",
);
const FIREHOSE: Service =
    service("Firehose", "firehose", "AmazonKinesisFirehose", "Firehose", "KinesisFirehose");
const SFN: Service = service("SFN", "sfn", "AWSStepFunctions", "Sfn", "StepFunctions");
const LAMBDA: Service = service("Lambda", "lambda", "AWSLambda", "Lambda", "Lambda");

/// An error answer of a service, and what is to be said of it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) problem: &'static str,
    pub(crate) view: Option<View>,
    pub(crate) service: Service,
    pub(crate) operation: &'static str,
    pub(crate) code: String,
    /// The class that the typed SDKs have for it, without which they print a general one, and
    /// that of Java no code.
    pub(crate) class: Option<String>,
    pub(crate) message: String,
    /// Only the name of the service tells what it is about.
    pub(crate) needs_service: bool,
    /// The message alone does not tell the problem.
    pub(crate) needs_code: bool,
}

impl Failure {
    /// The ARN that it is about, and the name of the evidence that holds it.
    pub(crate) fn entity(&self) -> Option<(&'static str, &'static str)> {
        let entities = [
            ("keyArn", KEY),
            ("keyArn", KEY_CN),
            ("keyArn", KEY_US_GOV),
            ("aliasArn", ALIAS),
            ("accessPointArn", ACCESS_POINT),
            ("accessPointArn", ACCESS_POINT_CN),
        ];
        entities.into_iter().find(|(_, arn)| self.message.contains(arn))
    }
}

/// What its own class is called where the SDK has one.
enum Class {
    /// As the code.
    Code,
    Named(&'static str),
    None,
}
use Class::{Code, Named, None as Unmodelled};

type Row = (&'static str, Service, &'static str, &'static str, Class, String);

/// The answers as the services give them.
fn answers() -> Vec<Row> {
    let disabled = |key: &str| format!("{key} is disabled.");
    let pending = |key: &str| format!("{key} is pending deletion.");
    let missing = |key: &str| format!("Key '{key}' does not exist");
    let denied = |action: &str| {
        format!(
            "User: {ROLE} is not authorized to perform: {action} on resource: {KEY} because no identity-based policy allows the {action} action"
        )
    };
    let other = || "The request failed.".to_owned();
    vec![
        ("kms-disabled", KMS, "Decrypt", "DisabledException", Code, disabled(KEY)),
        ("kms-disabled", KMS, "GenerateDataKey", "DisabledException", Code, disabled(KEY_CN)),
        ("kms-disabled", KMS, "Encrypt", "DisabledException", Code, disabled(KEY_US_GOV)),
        ("kms-disabled", KMS, "Decrypt", "DisabledException", Code, other()),
        ("kms-disabled", S3, "GetObject", "KMS.DisabledException", Unmodelled, disabled(KEY)),
        ("kms-disabled", SQS, "SendMessage", "KMS.DisabledException", Named("KmsDisabled"), disabled(KEY)),
        ("kms-disabled", SQS, "SendMessage", "KmsDisabled", Code, disabled(KEY)),
        ("kms-disabled", SNS, "Publish", "KMSDisabled", Named("KMSDisabledException"), disabled(KEY)),
        ("kms-disabled", KINESIS, "PutRecord", "KMSDisabledException", Code, disabled(KEY)),
        ("kms-disabled", LAMBDA, "Invoke", "KMSDisabledException", Code, "Lambda was unable to decrypt the environment variables because the KMS key used is disabled. Please check the function's KMS key settings.".into()),
        ("kms-invalid-state", KMS, "Decrypt", "KMSInvalidStateException", Code, pending(KEY)),
        ("kms-invalid-state", S3, "PutObject", "KMS.KMSInvalidStateException", Unmodelled, pending(KEY)),
        ("kms-invalid-state", SQS, "ReceiveMessage", "KmsInvalidState", Code, pending(KEY)),
        ("kms-invalid-state", SNS, "Publish", "KMSInvalidState", Named("KMSInvalidStateException"), pending(KEY)),
        ("kms-invalid-state", SFN, "StartExecution", "KmsInvalidStateException", Code, other()),
        ("kms-not-found", KMS, "Decrypt", "NotFoundException", Code, missing(KEY)),
        ("kms-not-found", KMS, "DescribeKey", "NotFoundException", Code, "Invalid keyId 'orders'".into()),
        ("kms-not-found", KMS, "Encrypt", "NotFoundException", Code, format!("Alias {ALIAS} is not found.")),
        ("kms-not-found", S3, "PutObject", "KMS.NotFoundException", Unmodelled, missing(KEY)),
        ("kms-not-found", SNS, "Publish", "KMSNotFound", Named("KMSNotFoundException"), missing(KEY)),
        ("kms-access-denied", KMS, "Decrypt", "AccessDeniedException", Unmodelled, denied("kms:Decrypt")),
        ("kms-access-denied", KMS, "Decrypt", "AccessDeniedException", Unmodelled, "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.".into()),
        ("kms-access-denied", S3, "PutObject", "AccessDenied", Unmodelled, denied("kms:GenerateDataKey")),
        ("kms-access-denied", SQS, "SendMessage", "KMS.AccessDeniedException", Named("KmsAccessDenied"), other()),
        ("kms-access-denied", DYNAMODB, "GetItem", "AccessDeniedException", Unmodelled, format!("KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: {KEY} (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: 5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e; Proxy: null)")),
        ("kms-access-denied", SECRETS, "GetSecretValue", "AccessDeniedException", Unmodelled, "Access to KMS is not allowed".into()),
        ("kms-throttled", KMS, "Decrypt", "ThrottlingException", Unmodelled, "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.".into()),
        ("kms-throttled", KINESIS, "PutRecord", "KMSThrottlingException", Code, other()),
        ("kms-throttled", SQS, "SendMessage", "KMS.ThrottlingException", Named("KmsThrottled"), other()),
        ("kms-unavailable", KMS, "Decrypt", "DependencyTimeoutException", Code, other()),
        ("kms-unavailable", KMS, "Decrypt", "KMSInternalException", Code, other()),
        ("kms-unavailable", KMS, "Decrypt", "KeyUnavailableException", Code, format!("{KEY} is unavailable.")),
        ("kms-unusable", KMS, "Decrypt", "InvalidCiphertextException", Code, other()),
        ("kms-unusable", KMS, "Decrypt", "IncorrectKeyException", Code, other()),
        ("kms-unusable", SQS, "SendMessage", "KmsInvalidKeyUsage", Code, other()),
        ("kms-unusable", FIREHOSE, "PutRecord", "InvalidKMSResourceException", Code, other()),
        ("kms-disabled", SSM, "GetParameter", "InvalidKeyId", Code, format!("{KEY} is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: 5f6c1a52-7d0e-4c39-9f0a-0f0d5c2f9b1e; Proxy: null)")),
        ("efs-mount-failure", LAMBDA, "Invoke", "EFSMountFailureException", Code, format!("The function could not mount the EFS file system with access point {ACCESS_POINT}.")),
        ("efs-mount-connectivity", LAMBDA, "Invoke", "EFSMountConnectivityException", Code, format!("The function couldn't connect to the Amazon EFS file system with access point {ACCESS_POINT_CN}. Check your network configuration and try again.")),
        ("efs-mount-timeout", LAMBDA, "Invoke", "EFSMountTimeoutException", Code, format!("The function could not mount the EFS file system with access point {{{ACCESS_POINT}}} due to mount time out")),
        ("efs-io", LAMBDA, "Invoke", "EFSIOException", Code, "This function instance was stopped because Lambda detected an IO process that was taking too long.".into()),
    ]
}

/// The answers that services give, and one for each text that a detector looks for.
pub(crate) fn failures() -> Vec<Failure> {
    let real = answers().into_iter().map(|(problem, service, operation, code, class, message)| {
        let class = match class {
            Class::Code => Some(code.to_owned()),
            Named(class) => Some(class.to_owned()),
            Unmodelled => Option::None,
        };
        let is_decided_by_code = code.to_lowercase().contains("kms") || code.contains("EFS");
        let own_words = message.contains("kms") || message.contains("KMS");
        let lambda = message.contains("environment variables") || code.starts_with("EFS");
        let by_message = [
            "is not authorized to perform: kms:",
            "is pending deletion",
            "KMS key access denied error",
            "Access to KMS is not allowed",
            "The ciphertext refers to",
            "you may call KMS",
            "because the KMS key used",
            "Error Code: DisabledException",
            "t connect to the Amazon EFS",
            "detected an IO process",
            "with access point",
        ];
        let needs_code = !by_message.iter().any(|words| message.contains(words));
        let is_ambiguous = OF_EITHER_VIEW.contains(&class.as_deref().unwrap_or(code));
        let needs_service =
            (needs_code && !is_decided_by_code && !own_words) || (is_ambiguous && !lambda);
        let view = Some(if lambda { View::Caller } else { View::Function });
        let code = code.to_owned();
        Failure {
            problem,
            view,
            service,
            operation,
            code,
            class,
            message,
            needs_service,
            needs_code,
        }
    });
    real.chain(texts()).collect()
}

/// Detectors that look for more than their texts: their own tests have the forms.
const OF_OWN_FORM: [&str; 9] = [
    "timeout",
    "out-of-memory",
    "runtime-crash",
    "response-too-large",
    "efs-access",
    "tmp-full",
    "descriptors-exhausted",
    "threads-exhausted",
    "dns-failure",
];

/// Lambda has errors of these names, for the environment of a called function, and so have KMS, SNS
/// and Kinesis: only the service tells whose failure it is.
pub(crate) const OF_EITHER_VIEW: [&str; 8] = [
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KmsAccessDeniedException",
    "KmsDisabledException",
    "KmsInvalidStateException",
    "KmsNotFoundException",
];

/// One for each text of each detector, so that a new one is in the table as soon as it is there.
fn texts() -> Vec<Failure> {
    let mut failures = Vec::new();
    for detector in detectors().iter().filter(|d| !OF_OWN_FORM.contains(&d.problem)) {
        for text in detector.texts {
            let is_name = format!("{:?}", text.shape) == "ErrorName";
            let (service, operation, entity) =
                match (format!("{:?}", text.context).as_str(), text.view) {
                    ("Kms", _) => (KMS, "Decrypt", KEY),
                    ("Efs", _) => (LAMBDA, "Invoke", ACCESS_POINT),
                    ("Any", Some(View::Caller)) => (LAMBDA, "Invoke", ""),
                    ("Any", _) => (SQS, "SendMessage", ""),
                    // What else such a text needs, its own tests know.
                    _ => continue,
                };
            let subject = if entity == ACCESS_POINT { "EFS" } else { "request" };
            failures.push(Failure {
                problem: detector.problem,
                view: text.view.or(Some(View::Function)),
                service,
                operation,
                code: if is_name { text.needle } else { "RequestFailed" }.to_owned(),
                class: is_name.then(|| text.needle.to_owned()).filter(|name| !name.contains('.')),
                message: if is_name {
                    format!("The {subject} failed. {entity}")
                } else {
                    format!("The {subject} failed: {} {entity}", text.needle)
                },
                needs_service: text.view.is_none(),
                needs_code: is_name,
            });
        }
    }
    failures
}
