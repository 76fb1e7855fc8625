//! A function's name and version in its ARN.

/// A function as its ARN names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionName {
    /// Its name.
    pub(crate) name: String,
    /// The version or alias, if the ARN has one.
    pub(crate) qualifier: Option<String>,
}

impl FunctionName {
    /// From `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`; None for anything else.
    pub(crate) fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        let is_function = parts.next() == Some("arn")
            && parts.next()?.starts_with("aws")
            && parts.next() == Some("lambda")
            && !parts.next()?.is_empty()
            && parts.next()?.bytes().all(|b| b.is_ascii_digit())
            && parts.next() == Some("function");
        let name = parts.next().filter(|name| is_function && is_name(name))?;
        let qualifier = parts.next();
        if parts.next().is_some() || qualifier.is_some_and(|q| !is_name(q)) {
            return None;
        }
        Some(Self { name: name.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }
}

/// What Lambda takes as the name of a function, a version or an alias.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=140).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.$".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_function_and_no_other() {
        let of = |arn| FunctionName::of_arn(arn).map(|f| (f.name, f.qualifier));
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        assert_eq!(of(arn), Some(("orders".into(), None)));
        let qualified = format!("{arn}:$LATEST");
        assert_eq!(of(&qualified), Some(("orders".into(), Some("$LATEST".into()))));
        assert!(of("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:a:live").is_some());
        for other in [
            "orders",
            "",
            "arn:aws:sqs:eu-west-1:123456789012:orders",
            "arn:aws:lambda:eu-west-1:123456789012:layer:orders",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws:lambda:eu-west-1:123456789012:function:a b",
            "arn:aws:lambda:eu-west-1:123456789012:function:a:b:c",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
