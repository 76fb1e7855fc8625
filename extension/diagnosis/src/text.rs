//! The error texts that detectors look for: data, declared in the detectors' files.

use crate::finding::View;

/// A text that a detector looks for in a log line.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// What to find; the case of letters counts.
    pub needle: &'static str,
    /// How it must stand to mean that the error happened.
    pub shape: Shape,
    /// What else the record must hold.
    pub context: Context,
    /// Whose failure it tells of, if it can tell.
    pub view: Option<View>,
    /// The finer cause it names, if any.
    pub cause: Option<&'static str>,
}

impl Text {
    /// The name of an error class or code.
    #[must_use]
    pub(crate) const fn error(needle: &'static str, view: View) -> Self {
        Self {
            needle,
            shape: Shape::ErrorName,
            context: Context::Any,
            view: Some(view),
            cause: None,
        }
    }

    /// Words of an error's message.
    #[must_use]
    pub(crate) const fn message(needle: &'static str, view: View) -> Self {
        Self { shape: Shape::Message, ..Self::error(needle, view) }
    }

    /// The text of a failed system call.
    #[must_use]
    pub(crate) const fn errno(needle: &'static str) -> Self {
        Self { shape: Shape::Errno, ..Self::error(needle, View::Function) }
    }

    /// May be a failure of this function or of one that it called: the record's other words tell
    /// which, or nothing does.
    #[must_use]
    pub(crate) const fn of_either_view(self) -> Self {
        Self { view: None, ..self }
    }

    /// Counts only in a record that says that Lambda's Invoke failed.
    #[must_use]
    pub(crate) const fn about_invoke(self) -> Self {
        Self { context: Context::Invoke, ..self }
    }

    /// Does not count in a record that says that another call failed than Lambda's Invoke.
    #[must_use]
    pub(crate) const fn about_no_other_call(self) -> Self {
        Self { context: Context::NoOtherCall, ..self }
    }

    /// What a user's signature looks for: wherever it stands, whoever's failure it is.
    #[must_use]
    pub(crate) const fn of_signature(needle: &'static str) -> Self {
        let (shape, context) = (Shape::Anything, Context::Any);
        Self { needle, shape, context, view: None, cause: None }
    }

    /// Counts only in a record that speaks of EFS.
    #[must_use]
    pub(crate) const fn about_efs(self) -> Self {
        Self { context: Context::Efs, ..self }
    }

    /// Counts only in a record that speaks of KMS.
    #[must_use]
    pub(crate) const fn about_kms(self) -> Self {
        Self { context: Context::Kms, ..self }
    }

    /// Names a finer cause.
    #[must_use]
    pub(crate) const fn names(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

/// How a text must stand in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The name of an error class or code: a whole word, where SDKs and runtimes print the error
    /// they report (`Name: …`, `(Name) when calling`, `"__type": "…#Name"`), and not a mention.
    ErrorName,
    /// Words that only the error's own message has.
    Message,
    /// The text of a failed system call, where languages print it and not in a sentence.
    Errno,
    /// Whatever a user's signature looks for, also where it is only mentioned: they know what it
    /// means.
    Anything,
}

/// What else a record must hold for a text to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nothing.
    Any,
    /// The name of EFS.
    Efs,
    /// A sign that the error is of AWS KMS: other services have errors of the same name.
    Kms,
    /// A sign that Lambda's Invoke failed: other calls have errors of the same name.
    Invoke,
    /// No sign that a call failed that is not Lambda's Invoke.
    NoOtherCall,
}
