//! The names that AWS gives: ARNs, ids, Regions and endpoints, told by their exact shape.

/// Whether this is an ARN that may be shown, without anything else in it.
pub(crate) fn is_arn(text: &str) -> bool {
    shown_arn(text) == Some(text)
}

/// As much of an ARN as may be shown: all of it or, where its last name is that of a session or a
/// person, what stands before that. None if it is no ARN of the services that the texts speak of:
/// those of others may hold names of objects, topics or customers.
pub(crate) fn shown_arn(text: &str) -> Option<&str> {
    const PARTITIONS: [&str; 8] = [
        "aws",
        "aws-cn",
        "aws-us-gov",
        "aws-iso",
        "aws-iso-b",
        "aws-iso-e",
        "aws-iso-f",
        "aws-eusc",
    ];
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let (arn, partition, service) = (next()?, next()?, next()?);
    let (region, account, resource) = (next()?, next()?, next()?);
    let is_valid = arn == "arn"
        && PARTITIONS.contains(&partition)
        && (region.is_empty() || is_region(region))
        && (account == "aws"
            || (account.len() <= 12 && account.bytes().all(|b| b.is_ascii_digit())));
    if !is_valid {
        return None;
    }
    let pieces: Vec<&str> = resource.split([':', '/']).collect();
    let are_names =
        |names: &[&str]| names.len() <= 5 && names.iter().all(|name| is_plain_name(name));
    let is_shown = match (service, &pieces[..]) {
        ("kms", ["key", id]) | ("lambda", ["event-source-mapping", id]) => is_id(id),
        ("elasticfilesystem", ["access-point" | "file-system", id]) => is_resource_id(id),
        ("s3files", ["file-system", id]) => is_resource_id(id),
        ("s3files", ["file-system", id, "access-point", point]) => {
            is_resource_id(id) && is_resource_id(point)
        }
        ("ec2", [_, id]) => is_resource_id(id),
        ("s3" | "sns" | "sqs", [name]) => is_plain_name(name),
        ("iam", ["root"]) => true,
        ("iam", ["user", ..]) | ("sts", ["federated-user", ..]) => {
            return text.split_inclusive('/').next();
        }
        ("sts", ["assumed-role", role, _]) if is_plain_name(role) => {
            let session = resource.rfind('/')? + 1;
            return text.get(..text.len() - resource.len() + session);
        }
        // With its version or alias.
        ("lambda", ["function" | "layer", names @ ..]) => {
            (1..=2).contains(&names.len()) && !resource.contains('/') && are_names(names)
        }
        ("kms", ["alias", names @ ..])
        | ("iam", ["role" | "policy" | "group", names @ ..])
        | ("sts", ["assumed-role", names @ ..])
        | ("dynamodb", ["table", names @ ..])
        | ("kinesis", ["stream", names @ ..])
        | ("firehose", ["deliverystream", names @ ..]) => !names.is_empty() && are_names(names),
        _ => false,
    };
    is_shown.then_some(text)
}

/// A name that somebody gave to a role, function or queue; not what a generator made, but for what
/// CloudFormation and CDK put at the end of theirs: `orders-Function1A2B3C4D-AbC1dE2fG3hI`.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.$".contains(&b);
    let is_suffix = |part: &str| {
        (12..=13).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let is_hash = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    let generated =
        name.rsplit_once('-').filter(|(given, suffix)| is_suffix(suffix) && given.contains('-'));
    let given = generated.map_or(name, |(given, _)| given);
    let hashed = generated.and_then(|_| given.split_at_checked(given.len().saturating_sub(8)));
    let given =
        hashed.filter(|(_, hash)| hash.bytes().all(is_hash)).map_or(given, |(given, _)| given);
    let kind = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    let changes = given.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let digits = given.bytes().filter(u8::is_ascii_digit).count();
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(is_name)
        && (changes < 6 || digits < 3)
        && digits < 13
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
        let is_length = match kind {
            "mrk" => hex.len() == 32,
            // Those of S3 Files are longer.
            "fs" | "fsap" => hex.len() == 8 || (17..=40).contains(&hex.len()),
            _ => matches!(hex.len(), 8 | 17),
        };
        KINDS.contains(&kind) && is_length && is_hex(hex)
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
            "arn:aws:iam::123456789012:role/service-role/orders-role",
            "arn:aws:iam::123456789012:role/orders-OrdersRole-qW3eR5tY7uI9",
            "arn:aws:iam::123456789012:role/Orders-HandlerServiceRole8A9B0C1D-AbC1dE2fG3hI",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders-Orders-1A2B3C4D5E6F7:live",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/by-day",
            "arn:aws:sqs:eu-west-1:123456789012:orders.fifo",
            "arn:aws:iam::aws:policy/AWSLambdaExecute",
            "arn:aws:s3:::orders-bucket",
        ] {
            assert!(is_arn(arn), "{arn}");
        }
        for text in [
            "arn:aws:kms:eu-west-1:123456789012:key/hunter2hunter2",
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdefhunter",
            "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef/hunter2",
            "arn:aws:kms:eu-west-1:123456789012:key/4111/1111/1111/1111",
            "arn:aws:kms:eu-west-1:123456789012:key/4111",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders/hunter",
            "arn:aws:lambda:eu-west-1:123456789012:function:orders:live:hunter",
            "arn:aws:ses:eu-west-1:123456789012:identity/hunter@example.org",
            "arn:aws:iam::123456789012:role/hunter@example.org",
            "arn:aws:iot:eu-west-1:123456789012:topic/users/hunter",
            "arn:aws:states:eu-west-1:123456789012:execution:orders:hunter",
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/object/hunter.pdf",
            "arn:aws:kms:eu-west-1:hunter2:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws:kms:hunter-2:1:key/12345678-90ab-cdef-1234-567890abcdef",
            "arn:aws-hunter:kms:eu-west-1:1:key/12345678-90ab-cdef-1234-567890abcdef",
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
    fn the_name_of_a_session_or_a_user_is_left_out() {
        for (before, name) in [
            ("arn:aws:sts::123456789012:assumed-role/orders-role/", "orders"),
            ("arn:aws:sts::123456789012:assumed-role/orders-role/", "hunter@example.org"),
            ("arn:aws:sts::123456789012:federated-user/", "hunter"),
            ("arn:aws:iam::123456789012:user/", "team/hunter"),
        ] {
            assert_eq!(shown_arn(&format!("{before}{name}")), Some(before));
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
