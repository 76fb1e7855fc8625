//! Lambda could not connect a function that this one called to its VPC, as there was no address or no
//! network interface left.
//!
//! ## Causes
//! - `no-free-address`: the function's subnets have no free IP address.
//! - `interface-limit`: the limit of network interfaces of the VPC is reached.
//!
//! ## Evidence
//! The error's name or message in the log of the function that called the failing one: confirmed
//! where the line reports the error, suspected where it is a warning. The failing function itself
//! never starts, so nothing inside it can tell. `accessPointArn`, `fileSystemId` and
//! `calledFunctionArn` or `calledFunctionName` are there if the text names them.
//!
//! Lambda's other errors about a VPC (`InvalidSubnetIDException`, `EC2AccessDeniedException` and their
//! like) are not about room: see `function-pending`.
//!
//! ## What to do
//! Give the function larger or more subnets, free addresses, or raise the limit.

use crate::detector::{Case, Cause, Detector, Sign};
use crate::finding::{Finding, View};
use crate::from_log;
use crate::from_state;
use crate::level::Level;
use crate::text::Text;

/// See the module's text.
pub(crate) const DETECTOR: Detector = Detector {
    problem: "subnet-exhausted",
    title: "a called function's subnets or network interfaces are used up",
    level: Level::Error,
    metric: "ResourceExhaustion",
    advice: "Give the called function larger or additional subnets, or free addresses in them; check the quota of elastic network interfaces per VPC.",
    causes: &[
        Cause {
            name: "no-free-address",
            advice: "The called function's subnets have no free IP address: add subnets with room, or delete unused network interfaces in them.",
        },
        Cause {
            name: "interface-limit",
            advice: "The quota of elastic network interfaces per VPC is reached: ask for a higher one (Lambda, Elastic network interfaces per VPC), or let functions share subnets and security groups.",
        },
    ],
    reference: "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-networking.html",
    outranks: &["function-pending"],
    views: &[View::Caller, View::Outside],
    signs: &[Sign::Log, Sign::FailedRequest, Sign::State],
    knobs: &[],
    texts: &[
        Text::error("SubnetIPAddressLimitReachedException", View::Caller).names("no-free-address"),
        Text::error("SubnetIpAddressLimitReachedException", View::Caller).names("no-free-address"),
        Text::message("configured subnets has no available IP addresses", View::Caller)
            .names("no-free-address"),
        Text::error("ENILimitReachedException", View::Caller).names("interface-limit"),
        Text::error("EniLimitReachedException", View::Caller).names("interface-limit"),
        Text::message("because the limit for network interfaces has been reached", View::Caller)
            .names("interface-limit"),
        Text::message("because the limit for Network Interfaces has been reached", View::Caller)
            .names("interface-limit"),
    ],
    examine,
};

const OUTSIDE: &str = "the function found no room in its VPC";

fn examine(case: &Case<'_>) -> Option<Finding> {
    let no_address = from_state::reason(case, &["SubnetOutOfIPAddresses"], OUTSIDE);
    let no_interface = from_state::reason(case, &["EniLimitExceeded"], OUTSIDE);
    no_address
        .map(|finding| finding.cause("no-free-address"))
        .or_else(|| no_interface.map(|finding| finding.cause("interface-limit")))
        .or_else(|| {
            from_log::finding(case, |view| match view {
                Some(View::Outside) => OUTSIDE,
                _ => "a function it called found no room in its VPC",
            })
        })
}
