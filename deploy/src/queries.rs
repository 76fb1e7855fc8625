//! The saved queries, in the language of CloudWatch Logs Insights. Each asks for the lines of one function:
//! the failure watcher's log group holds those of all, and a log group may be several functions'.

use crate::placeholder::SOURCES;

/// A saved query.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The resource's logical id.
    pub id: &'static str,
    /// Its name below the function's folder in the console.
    pub name: &'static str,
    /// Its text with the [placeholder](crate::placeholder) of the function, a command a line.
    pub text: &'static str,
}

/// All of them.
pub const QUERIES: &[Query] = &[
    Query {
        id: "WhatWentWrongQuery",
        name: "What went wrong in the last day",
        text: "fields @timestamp, level, diagnosis.problem, diagnosis.cause, diagnosis.stage, message, requestId, diagnosis.advice\n\
               | filter FunctionName = \"${FunctionName}\" and ispresent(diagnosis.problem) and toMillis(@timestamp) >= (now() * 1000 - 86400000)\n\
               | sort @timestamp desc\n\
               | limit 1000",
    },
    Query {
        id: "ProblemsByKindQuery",
        name: "Problems by kind",
        text: "filter FunctionName = \"${FunctionName}\" and ispresent(diagnosis.problem) and diagnosis.stage != \"imminent\"\n\
               | stats sum(diagnosis.occurrences) as occurrences, latest(@timestamp) as last by diagnosis.problem, diagnosis.cause, diagnosis.stage, diagnosis.view\n\
               | sort occurrences desc",
    },
    Query {
        id: "TimeoutsByCauseQuery",
        name: "Timeouts by cause and peer",
        text: "filter FunctionName = \"${FunctionName}\" and diagnosis.problem = \"timeout\" and diagnosis.stage != \"imminent\"\n\
               | stats sum(diagnosis.occurrences) as occurrences, latest(message) as example, latest(@timestamp) as last by diagnosis.cause, diagnosis.evidence.peer\n\
               | sort occurrences desc",
    },
    Query {
        id: "RepeatedInitializationsQuery",
        name: "Initializations that repeat, by log stream",
        text: "filter FunctionName = \"${FunctionName}\" and diagnosis.cause = \"slow-init\" and diagnosis.stage != \"imminent\"\n\
               | stats sum(diagnosis.occurrences) as invocations, max(diagnosis.evidence.initDurationMs) as longestMs, earliest(@timestamp) as first, latest(@timestamp) as last by @logStream\n\
               | sort invocations desc",
    },
    Query {
        id: "KmsErrorsByKeyQuery",
        name: "KMS errors by key",
        text: "filter FunctionName = \"${FunctionName}\" and diagnosis.problem like /^kms-/\n\
               | fields coalesce(diagnosis.evidence.keyArn, diagnosis.evidence.aliasArn) as key\n\
               | stats sum(diagnosis.occurrences) as occurrences, latest(@timestamp) as last by key, diagnosis.problem, diagnosis.evidence.operation, diagnosis.view\n\
               | sort occurrences desc",
    },
    Query {
        id: "FileSystemFailuresQuery",
        name: "EFS and S3 Files failures by file system",
        text: "filter FunctionName = \"${FunctionName}\" and diagnosis.problem like /^(efs|s3-files)-/\n\
               | fields coalesce(diagnosis.evidence.accessPointArn, diagnosis.evidence.fileSystemId, diagnosis.evidence.path) as fileSystem\n\
               | stats sum(diagnosis.occurrences) as occurrences, latest(@timestamp) as last by fileSystem, diagnosis.problem, diagnosis.view\n\
               | sort occurrences desc",
    },
    Query {
        id: "RecursionChainsQuery",
        name: "Recursion chains by trace",
        text: "filter FunctionName = \"${FunctionName}\" and diagnosis.problem = \"recursion\"\n\
               | fields coalesce(diagnosis.evidence.root, traceId) as trace\n\
               | stats max(diagnosis.evidence.depth) as depth, max(diagnosis.evidence.passes) as passes, sum(diagnosis.occurrences) as occurrences, earliest(@timestamp) as first, latest(@timestamp) as last by trace, diagnosis.cause\n\
               | sort depth desc, passes desc",
    },
];

impl Query {
    /// The query for a dashboard's widget: with the log groups it reads.
    pub(crate) fn for_widget(&self) -> String {
        format!("{SOURCES} | {}", self.text)
    }

    /// The query of this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        QUERIES.iter().find(|query| query.id == id)
    }
}
