//! Whether a log record is about AWS KMS.

/// A sign that a record is about AWS KMS: its ARNs, its actions, its name in SDKs' messages.
pub(super) fn speaks_of_kms(record: &str) -> bool {
    const DENIED: &str = "is not authorized to perform: ";
    const SIGNS: [&str; 21] = [
        "AWSKMS",
        "KeyManagementService",
        "Service: Kms",
        "KMS: ",
        "KmsException",
        "kms.amazonaws.com",
        "kms#",
        "aws_sdk_kms",
        "client-kms",
        "the Decrypt operation",
        "the Encrypt operation",
        "the ReEncrypt operation",
        "the Sign operation",
        "the Verify operation",
        "the DescribeKey operation",
        "the GetPublicKey operation",
        "the GenerateDataKey",
        "TrentService",
        "Aws::KMS::",
        "com.amazonaws.kms",
        "services.kms.",
    ];
    // What IAM denied says whose it was, though a KMS key may stand beside it.
    if let Some((_, action)) = record.split_once(DENIED) {
        return action.starts_with("kms:");
    }
    // An ARN or an action, and not a field `sse_kms: true` or the encryption `aws:kms:dsse`.
    let is_named = |(at, _): (usize, &str)| {
        let (before, after) = (&record[..at], &record[at + "kms:".len()..]);
        let is_action = !before.ends_with(|c: char| c.is_alphanumeric() || "_:/".contains(c))
            && after.starts_with(|c: char| c.is_ascii_uppercase());
        let partition = |c: char| c.is_ascii_lowercase() || c == '-';
        let is_arn = before
            .strip_suffix(':')
            .is_some_and(|before| before.trim_end_matches(partition).ends_with("arn:"));
        is_action || is_arn
    };
    SIGNS.iter().any(|sign| record.contains(sign)) || record.match_indices("kms:").any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_about_kms() {
        for record in [
            "NotFoundException: Alias arn:aws-us-gov:kms:us-gov-west-1:1:alias/x is not found.",
            "(NotFoundException) when calling the Sign operation: Invalid keyId 'abc'",
            "Amazon.KeyManagementService.Model.NotFoundException: Invalid keyId 'abc'",
            "AccessDeniedException: User: x is not authorized to perform: kms:Decrypt on y",
            "AccessDeniedException: needs kms:Decrypt",
        ] {
            assert!(speaks_of_kms(record), "{record}");
        }
        for record in [
            "errorType: NotFoundException\nsse_kms: true",
            "NotFoundException: order 7; bucket encrypted with aws:kms:dsse",
            "AccessDeniedException: User: x is not authorized to perform: dynamodb:GetItem\nkey: arn:aws:kms:x:1:key/a",
            "AccessDeniedException: no ssm:GetParameter on arn:aws:ssm:x:1:parameter/kms:key",
        ] {
            assert!(!speaks_of_kms(record), "{record}");
        }
    }
}
