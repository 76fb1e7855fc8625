//! The causes that a timeout and a near-timeout may name, with what to do about each.

use crate::detector::Cause;

/// Those of an invocation that ended just in time: not the last two, as an initialization within
/// it keeps its timeout from being known.
pub(crate) const CAUSES_NEAR: &[Cause] = CAUSES.split_at(CAUSES.len() - 2).0;

/// All of them.
pub(crate) const CAUSES: &[Cause] = &[
    Cause {
        name: "unreachable-peer",
        advice: "Give the function's subnet a route to that address (NAT gateway, VPC endpoint, peering), allow \
                 it in the security groups of both sides and in the network ACLs, and set a connect time-out \
                 shorter than the function's.",
    },
    Cause {
        name: "refused-peer",
        advice: "Nothing listens there, or it has no room for more: check the host and port that the function \
                 connects to and that the service runs; let retries end before the function's timeout.",
    },
    Cause {
        name: "awaiting-peer",
        advice: "Look at that service for why it does not answer (load, locks, a slow query), and set a read \
                 time-out shorter than the function's, so that the handler can log which call hung.",
    },
    Cause {
        name: "peer-not-reading",
        advice: "Look at that service for why it takes nothing more (load, a stuck consumer), and set a write \
                 time-out shorter than the function's.",
    },
    Cause {
        name: "dns",
        advice: "Check that the VPC has DNS resolution on, that the name server answers from the function's \
                 subnets (UDP and TCP 53 in security groups and network ACLs), and that nothing asks for the \
                 same name without a cache.",
    },
    Cause {
        name: "cpu-bound",
        advice: "Give the function more memory, with which its CPU grows (one CPU at 1,769 MB), or less work in \
                 one invocation; if the work should be small, look for a loop.",
    },
    Cause {
        name: "memory-pressure",
        advice: "Raise the function's memory: it has nearly all of it in use, and reads its own code and files \
                 again and again; or hold less at once.",
    },
    Cause {
        name: "file-system-stall",
        advice: "Look at the file system: for EFS its PercentIOLimit and BurstCreditBalance metrics, and whether \
                 TCP 2049 (NFS) is allowed between the function's and the mount target's security groups.",
    },
    Cause {
        name: "child-process",
        advice: "Give the child process a time limit of its own, shorter than what is left of the invocation, and \
                 look at what it waits for.",
    },
    Cause {
        name: "idle",
        advice: "Look for a promise that is never settled, a callback that is never called, a sleep, or a lock \
                 that is never released: nothing that the function waits for could still come.",
    },
    Cause {
        name: "slow-init",
        advice: "The initialization began anew within this invocation, after a crash or timeout of the one before, \
                 and took its time from it: make it faster or the timeout longer, and mend what ended the one \
                 before.",
    },
    Cause {
        name: "extension-overhead",
        advice: "The function had answered, but another extension held the invocation until the end: update it or \
                 detach it, or give it a time limit of its own.",
    },
];
