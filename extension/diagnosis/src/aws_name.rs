//! The names that AWS gives: ARNs, ids, Regions and endpoints, told by their exact shape.

/// Whether this is an ARN without anything else in it. The ids of KMS keys, file systems and access
/// points must be such; names that a user gave must not look like a secret.
pub(crate) fn is_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account) = (next(), next(), next(), next(), next());
    let resource = next();
    let is_lower = |text: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    // S3 has names of objects there, which may be anything.
    let is_path = !matches!(service, "s3" | "execute-api" | "secretsmanager" | "ssm");
    let may_be_named = !matches!(service, "kms" | "elasticfilesystem");
    let pieces = resource.split([':', '/']).collect::<Vec<_>>();
    let is_piece = |(at, piece): (usize, &&str)| {
        let is_kind = at == 0 && piece.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let is_named = may_be_named || pieces.first().is_some_and(|kind| *kind == "alias");
        is_kind || is_id(piece) || piece.len() <= 4 || (is_named && is_plain_name(piece))
    };
    arn == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && [partition, service, region].iter().all(|part| part.len() <= 24 && is_lower(part))
        && (account.is_empty() || account == "aws" || account.len() <= 12)
        && account.bytes().all(|b| b.is_ascii_digit() || account == "aws")
        && !resource.is_empty()
        && (is_path || pieces.len() == 1)
        && pieces.len() <= 6
        && pieces.iter().enumerate().all(is_piece)
}

/// A name that somebody gave to a role, function or queue; not what a generator made.
fn is_plain_name(name: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.$+=@".contains(&b);
    let kind = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    let changes = name.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= 64 && name.bytes().all(is_name) && (changes < 6 || digits < 3) && digits < 13
}

/// A UUID, as KMS keys and requests have.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A UUID, a key id `mrk-<32 hex>`, or `fsap-<8 or 17 hex>` and its like.
fn is_id(text: &str) -> bool {
    is_uuid(text) || is_resource_id(text)
}

/// The id of a resource, which bears its kind: `fsap-0123456789abcdef0`.
pub(crate) fn is_resource_id(text: &str) -> bool {
    const KINDS: [&str; 10] =
        ["fsap", "fs", "fsmt", "mrk", "subnet", "sg", "vpc", "eni", "vpce", "rtb"];
    let is_hex = |hex: &str| hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    text.split_once('-').is_some_and(|(kind, hex)| {
        let lengths: &[usize] = if kind == "mrk" { &[32] } else { &[8, 17] };
        KINDS.contains(&kind) && lengths.contains(&hex.len()) && is_hex(hex)
    })
}

/// `eu-west-1`
pub(crate) fn is_region(text: &str) -> bool {
    const AREAS: [&str; 12] =
        ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx", "cn", "eusc", "gov"];
    const DIRECTIONS: [&str; 16] = [
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
        "gov",
        "iso",
        "isob",
        "isoe",
        "isof",
        "de",
        "us",
    ];
    let mut parts = text.split('-');
    let is_area = parts.next().is_some_and(|area| AREAS.contains(&area));
    let rest: Vec<&str> = parts.collect();
    let Some((number, directions)) = rest.split_last() else { return false };
    is_area
        && (1..=3).contains(&directions.len())
        && directions.iter().all(|direction| DIRECTIONS.contains(direction))
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The host of a service's endpoint, `kms.eu-west-1.amazonaws.com`; not one that bears a bucket's
/// or an API's name.
pub(crate) fn is_endpoint(text: &str) -> bool {
    let Some(host) = text.strip_suffix(".amazonaws.com") else { return false };
    host.split('.').all(|label| is_region(label) || crate::vocabulary::is_composed_of_words(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_told_by_their_shape() {
        for arn in [
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234567890abcdef1234567890abcdef",
            "arn:aws:kms:eu-west-1:123456789012:alias/orders-key",
            "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
            "arn:aws:sts::123456789012:assumed-role/orders-role/orders",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST",
            "arn:aws:iam::aws:policy/AWSLambdaExecute",
            "arn:aws:s3:::orders-bucket",
        ] {
            assert!(is_arn(arn), "{arn}");
        }
        for text in [
            "arn:aws:kms:eu-west-1:123456789012:key/hunter2hunter2",
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdefhunter",
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef/hunter2",
            "arn:aws:kms:eu-west-1:hunter2:key/1",
            "arn:aws:kms:HUNTER2:1:key/1",
            "arn:aws:s3:::orders-bucket/users/hunter2",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/hunter2",
            "arn:aws:lambda:eu-west-1:1:function:wJalrXUtnFEMI7K7MDENG5bPxRfiCYEXAMPLEKEY0",
            "arn:aws:lambda:eu-west-1:1:function:5f4dcc3b5aa765d61d8327deb882cf99",
            "arn:aws",
            "",
        ] {
            assert!(!is_arn(text), "{text}");
        }
    }

    #[test]
    fn regions_and_endpoints() {
        for text in ["eu-west-1", "us-gov-east-1", "ap-southeast-4"] {
            assert!(is_region(text), "{text}");
        }
        for text in ["eu-hunter-1", "west-1", "eu-west-12", "eu", "eu-1", ""] {
            assert!(!is_region(text), "{text}");
        }
        assert!(is_endpoint("kms.eu-west-1.amazonaws.com"));
        assert!(!is_endpoint("hunter2.s3.amazonaws.com"));
    }
}
