//! The errors of AWS services that can be asked for, by name.

use crate::sdk_error::{Service, ServiceError};

const fn error(
    name: &'static str,
    service: Service,
    (code, class): (&'static str, Option<&'static str>),
    status: u16,
    message: &'static str,
) -> (&'static str, ServiceError) {
    (name, ServiceError { service, code, status, message, class })
}

/// Each under the name of the diagnosis that it should lead to; `invoke-kms-…` are KMS problems of
/// another function, which this one invoked.
pub(crate) const SERVICE_ERRORS: &[(&str, ServiceError)] = &[
    // The handler's own call to KMS.
    error(
        "kms-access-denied",
        Service::Kms,
        ("AccessDeniedException", None),
        400,
        "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to \
         perform: kms:Decrypt on resource: \
         arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab because no \
         identity-based policy allows the kms:Decrypt action",
    ),
    error(
        "kms-disabled",
        Service::Kms,
        ("DisabledException", Some("DisabledException")),
        400,
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab is disabled.",
    ),
    error(
        "kms-invalid-state",
        Service::Kms,
        ("KMSInvalidStateException", Some("KmsInvalidStateException")),
        400,
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab is pending \
         deletion.",
    ),
    error(
        "kms-not-found",
        Service::Kms,
        ("NotFoundException", Some("NotFoundException")),
        400,
        "Key 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab' does \
         not exist",
    ),
    error(
        "kms-throttled",
        Service::Kms,
        ("ThrottlingException", None),
        400,
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    ),
    error(
        "kms-unusable",
        Service::Kms,
        // KMS sends no message with this one.
        ("InvalidCiphertextException", Some("InvalidCiphertextException")),
        400,
        "",
    ),
    error(
        "kms-unavailable",
        Service::Kms,
        ("KeyUnavailableException", Some("KeyUnavailableException")),
        500,
        "The request was rejected because the specified KMS key was not available. You can retry \
         the request.",
    ),
    // Lambda could not decrypt the environment of a function that was invoked.
    error(
        "invoke-kms-access-denied",
        Service::Lambda,
        ("KMSAccessDeniedException", Some("KmsAccessDeniedException")),
        502,
        "Lambda was unable to decrypt the environment variables because KMS access was denied. \
         Please check the function's KMS key settings. KMS Exception: AccessDeniedExceptionKMS \
         Message: The ciphertext refers to a customer master key that does not exist, does not \
         exist in this region, or you are not allowed to access.",
    ),
    error(
        "invoke-kms-disabled",
        Service::Lambda,
        ("KMSDisabledException", Some("KmsDisabledException")),
        502,
        "Lambda was unable to decrypt the environment variables because the KMS key used is \
         disabled. Please check the function's KMS key settings.",
    ),
    error(
        "invoke-kms-invalid-state",
        Service::Lambda,
        ("KMSInvalidStateException", Some("KmsInvalidStateException")),
        502,
        "Lambda was unable to decrypt the environment variables because the state of the KMS key \
         used is not valid for Decrypt. Please check the function's KMS key settings.",
    ),
    error(
        "invoke-kms-not-found",
        Service::Lambda,
        ("KMSNotFoundException", Some("KmsNotFoundException")),
        502,
        "Lambda was unable to decrypt the environment variables because the KMS key was not \
         found. Please check the function's KMS key settings.",
    ),
    // Lambda could not mount the file system of a function that was invoked.
    error(
        "efs-mount-failure",
        Service::Lambda,
        ("EFSMountFailureException", Some("EfsMountFailureException")),
        403,
        "The function could not mount the EFS file system with access point \
         arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0.",
    ),
    error(
        "efs-mount-connectivity",
        Service::Lambda,
        ("EFSMountConnectivityException", Some("EfsMountConnectivityException")),
        408,
        "The function couldn't connect to the Amazon EFS file system with access point \
         arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0. \
         Check your network configuration and try again.",
    ),
    error(
        "efs-mount-timeout",
        Service::Lambda,
        ("EFSMountTimeoutException", Some("EfsMountTimeoutException")),
        408,
        "The function could not mount the EFS file system with access point \
         {arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0} \
         due to mount time out",
    ),
    error(
        "efs-io",
        Service::Lambda,
        ("EFSIOException", Some("EfsioException")),
        410,
        "This function instance was stopped because Lambda detected an IO process that was \
         taking too long.",
    ),
    // Of S3 Files no message text is known: these are the service model's descriptions.
    error(
        "s3-files-mount-failure",
        Service::Lambda,
        ("S3FilesMountFailureException", Some("S3FilesMountFailureException")),
        403,
        "The Lambda function couldn't mount the configured S3 Files access point due to a \
         permission or configuration issue.",
    ),
    error(
        "s3-files-mount-connectivity",
        Service::Lambda,
        ("S3FilesMountConnectivityException", Some("S3FilesMountConnectivityException")),
        408,
        "The Lambda function couldn't make a network connection to the configured S3 Files access \
         point.",
    ),
    error(
        "s3-files-mount-timeout",
        Service::Lambda,
        ("S3FilesMountTimeoutException", Some("S3FilesMountTimeoutException")),
        408,
        "The Lambda function made a network connection to the configured S3 Files access point, \
         but the mount operation timed out.",
    ),
];
