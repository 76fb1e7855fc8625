//! A function's name and version in its ARN.

/// A function as its ARN names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Its name.
    pub name: String,
    /// The version or alias, if the ARN has one.
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// From `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`; None for anything else.
    pub fn of_arn(arn: &str) -> Option<Self> {
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

/// A function as a user names it: by its name, by its ARN, or by the ARN's end from the account on; each
/// with a qualifier or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedName {
    account: Option<String>,
    name: String,
    qualifier: Option<String>,
}

impl ListedName {
    /// What is none of these forms is a name as it stands: Lambda will say what it thinks of it.
    pub fn of(text: &str) -> Self {
        let parts: Vec<&str> = text.split(':').collect();
        let (account, rest) = match &parts[..] {
            ["arn", _, "lambda", _, account, "function", rest @ ..]
            | [account, "function", rest @ ..] => (Some(*account), rest),
            ["function", rest @ ..] => (None, rest),
            rest => (None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => (text, None),
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self { account: owned(account), name: name.to_owned(), qualifier: owned(qualifier) }
    }

    /// The same form without version or alias, as those of Lambda's calls take it that are the function's
    /// alone.
    pub fn without_qualifier(text: &str) -> &str {
        match Self::of(text).qualifier {
            Some(qualifier) => text.strip_suffix(&format!(":{qualifier}")).unwrap_or(text),
            None => text,
        }
    }

    /// The function's name alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether both name a version or an alias of one function, or the function itself.
    pub fn is_same_function(&self, other: &Self) -> bool {
        let accounts = self.account.as_ref().zip(other.account.as_ref());
        self.name == other.name && accounts.is_none_or(|(own, other)| own == other)
    }

    /// Whether both name the same, however.
    pub fn is_same(&self, other: &Self) -> bool {
        self.is_same_function(other) && self.qualifier == other.qualifier
    }
}

/// What Lambda takes as the name of a function, a version or an alias.
pub fn is_name(name: &str) -> bool {
    (1..=140).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.$".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_in_each_form_in_which_it_may_be_listed() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        let is_same = |a: &str, b: &str| ListedName::of(a).is_same(&ListedName::of(b));
        let is_same_function =
            |a: &str, b: &str| ListedName::of(a).is_same_function(&ListedName::of(b));
        for form in ["orders", arn, "123456789012:function:orders", "function:orders"] {
            assert!(is_same(form, arn) && is_same("orders", form), "{form}");
            let qualified = format!("{form}:live");
            assert!(is_same_function(&qualified, arn) && !is_same(&qualified, arn), "{form}");
            assert!(is_same(&qualified, "orders:live"), "{form}");
            assert!(!is_same_function(form, "billing"), "{form}");
            assert_eq!(ListedName::without_qualifier(&qualified), form);
            assert_eq!(ListedName::without_qualifier(form), form);
        }
        assert!(!is_same_function("210987654321:function:orders", arn), "another account's");
        for odd in ["", ":", "a:b:c:d", "function:"] {
            assert!(is_same(odd, odd) && !is_same_function(odd, arn), "{odd}");
        }
    }

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
