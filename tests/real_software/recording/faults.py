"""The errors that moto does not give, as AWS documents their bodies.

Each is chosen by the resource that a request names: a KMS key, an S3 object, a queue, a function.
`SERVICES[service][resource]` is the fault; a resource that is not here is moto's to answer for.
"""

from dataclasses import dataclass

ACCOUNT = "123456789012"
REGION = "eu-west-1"
PRINCIPAL = f"arn:aws:sts::{ACCOUNT}:assumed-role/orders-role/orders"
ACCESS_POINT = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"


def key(identifier):
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{identifier}"


def function_arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


DISABLED = key("6bd1f6a3-0c9e-4f57-8e21-3f1c5a9d7e01")
PENDING_DELETION = key("a2f04c1e-77b5-4a0d-9c3f-52d8e61b9f02")
PENDING_IMPORT = key("3c9d2b7a-15e8-4d6f-b0a4-8f7e6c5d4b03")
MISSING = key("f81d4fae-7dec-41d0-a765-00a0c91e6b04")
FORBIDDEN = key("0b7e9f3d-6a24-4c18-95d2-7c4b3a2f1e05")
FOREIGN = key("d4c3b2a1-9f8e-4d7c-a6b5-1a2b3c4d5e06")
SIGNING = key("5e4d3c2b-1a09-4f8e-8d7c-6b5a4f3e2d07")
OTHER = key("9a8b7c6d-5e4f-4a3b-92c1-d0e1f2a3b408")
BUSY = key("1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a09")
BUSY_ONCE = "alias/orders"
UNAVAILABLE = key("2b3c4d5e-6f70-4812-93a4-b5c6d7e8f911")
INTERNAL = key("8c9dae0f-1b2c-4d3e-8f50-617283940a12")


@dataclass(frozen=True)
class Fault:
    status: int
    code: str
    message: str
    # Of a TooManyRequestsException of Lambda.
    reason: str | None = None
    # SQS's code for clients that knew its query protocol.
    query_code: str | None = None
    # How many requests fail before they pass; None: all.
    times: int | None = None


def denied(action, resource):
    return (
        f"User: {PRINCIPAL} is not authorized to perform: {action} on resource: {resource}"
        f" because no identity-based policy allows the {action} action"
    )


def nested(message, code):
    """How a service quotes the answer that KMS gave it."""
    return f"{message} (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: 0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d; Proxy: null)"


TOO_FAST = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."

SERVICES = {
    "kms": {
        DISABLED: Fault(400, "DisabledException", f"{DISABLED} is disabled."),
        PENDING_DELETION: Fault(400, "KMSInvalidStateException", f"{PENDING_DELETION} is pending deletion."),
        PENDING_IMPORT: Fault(400, "KMSInvalidStateException", f"{PENDING_IMPORT} is pending import."),
        FORBIDDEN: Fault(400, "AccessDeniedException", denied("kms:{operation}", FORBIDDEN)),
        FOREIGN: Fault(
            400,
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in"
            " this region, or you are not allowed to access.",
        ),
        SIGNING: Fault(
            400,
            "InvalidKeyUsageException",
            f"{SIGNING} key usage is SIGN_VERIFY which is not valid for {{operation}}.",
        ),
        OTHER: Fault(
            400,
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ),
        BUSY: Fault(400, "ThrottlingException", TOO_FAST),
        BUSY_ONCE: Fault(400, "ThrottlingException", TOO_FAST, times=1),
        UNAVAILABLE: Fault(500, "KeyUnavailableException", "The request was rejected because the specified KMS key was not available. You can retry the request."),
        INTERNAL: Fault(500, "KMSInternalException", "The request was rejected because an internal exception occurred. The request can be retried."),
    },
    "s3": {
        "disabled.csv": Fault(400, "KMS.DisabledException", f"{DISABLED} is disabled."),
        "pending.csv": Fault(400, "KMS.KMSInvalidStateException", f"{PENDING_DELETION} is pending deletion."),
        "missing-key.csv": Fault(400, "KMS.NotFoundException", f"Key '{MISSING}' does not exist"),
        "forbidden.csv": Fault(403, "AccessDenied", denied("kms:Decrypt", FORBIDDEN)),
    },
    "sqs": {
        "disabled": Fault(
            400,
            "KmsDisabled",
            f"{DISABLED} is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: 0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d; Proxy: null)",
            query_code="KMS.DisabledException",
        ),
        "pending": Fault(400, "KmsInvalidState", nested(f"{PENDING_DELETION} is pending deletion.", "KMSInvalidStateException"), query_code="KMS.InvalidStateException"),
        "missing-key": Fault(400, "KmsNotFound", nested(f"Key '{MISSING}' does not exist", "NotFoundException"), query_code="KMS.NotFoundException"),
        "forbidden": Fault(400, "KmsAccessDenied", nested(denied("kms:GenerateDataKey", FORBIDDEN), "AccessDeniedException"), query_code="KMS.AccessDeniedException"),
        "busy": Fault(400, "KmsThrottled", nested(TOO_FAST, "ThrottlingException"), query_code="KMS.ThrottlingException"),
        "signing": Fault(400, "KmsInvalidKeyUsage", nested(f"{SIGNING} key usage is SIGN_VERIFY which is not valid for GenerateDataKey.", "InvalidKeyUsageException"), query_code="KMS.InvalidKeyUsageException"),
    },
    "dynamodb": {
        "disabled": Fault(400, "AccessDeniedException", "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: " + nested(f"{DISABLED} is disabled.", "DisabledException")),
        "forbidden": Fault(400, "AccessDeniedException", "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: " + nested(denied("kms:Decrypt", FORBIDDEN), "AccessDeniedException")),
        "orders": Fault(400, "ConditionalCheckFailedException", "The conditional request failed"),
    },
    "secretsmanager": {
        "forbidden": Fault(400, "AccessDeniedException", "Access to KMS is not allowed"),
        "unusable": Fault(400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."),
    },
    "ssm": {
        "/disabled": Fault(400, "InvalidKeyId", nested(f"{DISABLED} is disabled.", "DisabledException")),
    },
    "lambda": {
        "catalog": Fault(403, "EFSMountFailureException", f"The function could not mount the EFS file system with access point {ACCESS_POINT}."),
        "thumbnails": Fault(408, "EFSMountConnectivityException", f"The function couldn't connect to the Amazon EFS file system with access point {ACCESS_POINT}. Check your network configuration and try again."),
        "archive": Fault(408, "EFSMountTimeoutException", f"The function could not mount the EFS file system with access point {{{{{ACCESS_POINT}}}}} due to mount time out"),
        "indexer": Fault(410, "EFSIOException", "This function instance was stopped because Lambda detected an IO process that was taking too long."),
        # Of S3 Files no message is known: these are the service model's descriptions.
        "media": Fault(403, "S3FilesMountFailureException", "The Lambda function couldn't mount the configured S3 Files access point due to a permission or configuration issue."),
        "reports": Fault(408, "S3FilesMountConnectivityException", "The Lambda function couldn't make a network connection to the configured S3 Files access point."),
        "exports": Fault(408, "S3FilesMountTimeoutException", "The Lambda function made a network connection to the configured S3 Files access point, but the mount operation timed out."),
        "billing": Fault(502, "KMSAccessDeniedException", "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check the function's KMS key settings. KMS Exception: AccessDeniedExceptionKMS Message: " + denied("kms:Decrypt", FORBIDDEN)),
        "invoices": Fault(502, "KMSDisabledException", f"Lambda was unable to decrypt the environment variables because the KMS key used is disabled. Please check the function's KMS key settings. KMS Exception: DisabledExceptionKMS Message: {DISABLED} is disabled."),
        "ledger": Fault(502, "KMSInvalidStateException", f"Lambda was unable to decrypt the environment variables because the state of the KMS key used is not valid for Decrypt. Please check the function's KMS key settings. KMS Exception: KMSInvalidStateExceptionKMS Message: {PENDING_DELETION} is pending deletion."),
        "refunds": Fault(502, "KMSNotFoundException", "Lambda was unable to decrypt the environment variables because the KMS key was not found. Please check the function's KMS key settings."),
        "mailer": Fault(409, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: Pending"),
        "pricing": Fault(429, "TooManyRequestsException", "Rate Exceeded.", reason="ReservedFunctionConcurrentInvocationLimitExceeded"),
        "quotes": Fault(429, "TooManyRequestsException", "Rate Exceeded.", reason="CallerRateLimitExceeded"),
        "payments": Fault(403, "AccessDeniedException", denied("lambda:InvokeFunction", function_arn("payments"))),
        "notifier": Fault(400, "RecursiveInvocationException", "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your function's invocation."),
        "routes": Fault(502, "SubnetIPAddressLimitReachedException", "Lambda was not able to set up VPC access for the Lambda function because one or more configured subnets has no available IP addresses."),
        "routes-eni": Fault(502, "ENILimitReachedException", "Lambda was not able to create an elastic network interface in the VPC, specified as part of Lambda function configuration, because the limit for network interfaces has been reached."),
    },
}
