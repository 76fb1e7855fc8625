//! What one sandbox sees of chains of invocations: the trace roots that come back, and the rate.
//!
//! A sandbox sees only its share of a chain, so what is counted here is a lower bound.

use crate::trace_header::TraceHeader;
use crate::{InvocationRate, Timestamp};
use std::collections::VecDeque;

/// Chains remembered at once; the one not seen for the longest time makes room.
const MAX_CHAINS: usize = 64;
/// Request ids and parents remembered of a chain: enough to tell a chain, not to count it.
const MAX_MEMBERS: usize = 32;
/// A root that comes back later than this is a redelivery or a schedule, not a chain.
const CHAIN_MEMORY_MS: u64 = 15 * 60 * 1000;

/// What is known of its chain when an invocation begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// The depth that Lineage tells.
    pub lineage_depth: Option<u32>,
    /// The trace root, if one came.
    pub root: Option<String>,
    /// With how many different request ids the root came, each with another parent, while Lineage
    /// was missing or stood still. 0 where any of that does not hold.
    pub unguarded_passes: u32,
    /// How many invocations came within the span of the opt-in rate, if it is reached.
    pub rate: Option<u32>,
    /// Whether an earlier attempt of the same request id was already looked at: a retry, not a
    /// new pass.
    pub is_retry: bool,
}

#[derive(Debug)]
struct Chain {
    root: String,
    last_seen: Timestamp,
    request_ids: VecDeque<String>,
    parents: VecDeque<String>,
    depth: Option<u32>,
    passes: u32,
    /// One parent with several request ids is a fan-out, and growing Lineage is the platform's own
    /// guard at work: neither is an unguarded chain, then or later.
    is_ruled_out: bool,
}

/// The chains and the rate of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    chains: VecDeque<Chain>,
    recent: VecDeque<(String, Timestamp)>,
}

impl Chains {
    /// Takes in that an invocation has begun.
    pub(crate) fn sight(
        &mut self,
        request_id: &str,
        header: &TraceHeader,
        rate: Option<InvocationRate>,
        now: Timestamp,
    ) -> Sighting {
        crate::fault_point!("chain");
        let mut sighting = Sighting {
            lineage_depth: header.depth,
            root: header.root.clone(),
            ..Sighting::default()
        };
        if let Some(rate) = rate {
            sighting.rate = self.sight_rate(request_id, rate, now);
        }
        let Some(root) = &header.root else { return sighting };
        let known = self.chains.iter().position(|chain| chain.root == *root);
        let mut chain = known.and_then(|at| self.chains.remove(at)).unwrap_or(Chain {
            root: root.clone(),
            last_seen: now,
            request_ids: VecDeque::new(),
            parents: VecDeque::new(),
            depth: header.depth,
            passes: 0,
            is_ruled_out: false,
        });
        if now.ms_since(chain.last_seen) > CHAIN_MEMORY_MS {
            chain.request_ids.clear();
            chain.parents.clear();
            chain.passes = 0;
        }
        chain.last_seen = now;
        if chain.request_ids.iter().any(|id| id == request_id) {
            sighting.is_retry = true;
        } else {
            chain.pass(request_id, header);
            if !chain.is_ruled_out {
                sighting.unguarded_passes = chain.passes;
            }
        }
        if self.chains.len() == MAX_CHAINS {
            self.chains.pop_front();
        }
        self.chains.push_back(chain);
        sighting
    }

    fn sight_rate(
        &mut self,
        request_id: &str,
        rate: InvocationRate,
        now: Timestamp,
    ) -> Option<u32> {
        // A retry is no new pass, and not for it to tell.
        if self.recent.iter().any(|(id, _)| id == request_id) {
            return None;
        }
        self.recent.push_back((request_id.to_owned(), now));
        let invocations = rate.invocations.clamp(1, InvocationRate::MAX_INVOCATIONS);
        let kept = invocations as usize;
        while self.recent.len() > kept {
            self.recent.pop_front();
        }
        let within = |since: Timestamp| now.ms_since(since) <= u64::from(rate.seconds) * 1000;
        while self.recent.front().is_some_and(|(_, at)| !within(*at)) {
            self.recent.pop_front();
        }
        (self.recent.len() == kept).then_some(invocations)
    }
}

impl Chain {
    fn pass(&mut self, request_id: &str, header: &TraceHeader) {
        self.passes = self.passes.saturating_add(1);
        push_bounded(&mut self.request_ids, request_id);
        match &header.parent {
            Some(parent) if !self.parents.contains(parent) => {
                push_bounded(&mut self.parents, parent);
            }
            _ => self.is_ruled_out = true,
        }
        if header.depth != self.depth && header.depth.is_some() && self.depth.is_some() {
            self.is_ruled_out = true;
        }
        self.depth = self.depth.max(header.depth);
    }
}

fn push_bounded(members: &mut VecDeque<String>, member: &str) {
    if members.len() == MAX_MEMBERS {
        members.pop_front();
    }
    members.push_back(member.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(chains: &mut Chains, id: u32, header: &str) -> Sighting {
        let now = Timestamp::from_ms(u64::from(id) * 100);
        chains.sight(&format!("id-{id}"), &TraceHeader::parse(header), None, now)
    }

    #[test]
    fn counts_passes_of_a_root_with_changing_parents() {
        let mut chains = Chains::default();
        for pass in 1..=5 {
            let seen = sight(&mut chains, pass, &format!("Root=1-a;Parent=p{pass}"));
            assert_eq!(seen.unguarded_passes, pass);
        }
    }

    #[test]
    fn a_retry_is_no_pass() {
        let mut chains = Chains::default();
        assert!(!sight(&mut chains, 1, "Root=1-a;Parent=p").is_retry);
        assert!(sight(&mut chains, 1, "Root=1-a;Parent=q").is_retry);
        assert_eq!(sight(&mut chains, 2, "Root=1-a;Parent=r").unguarded_passes, 2);
    }

    #[test]
    fn one_parent_with_many_children_is_a_fan_out() {
        let mut chains = Chains::default();
        for id in 1..=20 {
            let parent = if id < 3 { id } else { 3 };
            sight(&mut chains, id, &format!("Root=1-a;Parent=p{parent}"));
        }
        assert_eq!(sight(&mut chains, 30, "Root=1-a;Parent=new").unguarded_passes, 0);
        assert_eq!(sight(&mut chains, 31, "Root=1-b").unguarded_passes, 0, "no parent, no proof");
    }

    #[test]
    fn growing_lineage_is_the_guard_at_work_and_flat_lineage_is_not() {
        let mut chains = Chains::default();
        for (id, flat, growing) in [(1, 1, 1), (2, 1, 2), (3, 1, 3)] {
            let flat = format!("Root=1-flat;Parent=p{id};Lineage={flat}:a87bd80c:0");
            assert_eq!(sight(&mut chains, id, &flat).unguarded_passes, id);
            let growing = format!("Root=1-grow;Parent=p{id};Lineage={growing}:a87bd80c:0");
            let seen = sight(&mut chains, id, &growing);
            assert_eq!(seen.unguarded_passes, u32::from(id == 1));
            assert_eq!(seen.lineage_depth, Some(id));
        }
    }

    #[test]
    fn a_root_that_comes_back_much_later_starts_anew() {
        let mut chains = Chains::default();
        sight(&mut chains, 1, "Root=1-a;Parent=p");
        let later = sight(&mut chains, 100_000, "Root=1-a;Parent=q");
        assert_eq!(later.unguarded_passes, 1);
    }

    #[test]
    fn the_rate_counts_different_requests_within_its_span() {
        let rate = Some(InvocationRate { invocations: 3, seconds: 1 });
        let mut chains = Chains::default();
        let mut at = |id: &str, ms| {
            chains.sight(id, &TraceHeader::default(), rate, Timestamp::from_ms(ms)).rate
        };
        assert_eq!(at("a", 0), None);
        assert_eq!(at("b", 400), None);
        assert_eq!(at("b", 500), None, "a retry");
        assert_eq!(at("c", 900), Some(3));
        assert_eq!(at("d", 1350), Some(3));
        assert_eq!(at("d", 1360), None, "a retry of the last");
        assert_eq!(at("e", 3000), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut chains = Chains::default();
        let rate = Some(InvocationRate { invocations: u32::MAX, seconds: u32::MAX });
        for id in 0..20_000 {
            let header = TraceHeader::parse(&format!("Root=1-{};Parent={id}", id % 200));
            chains.sight(&id.to_string(), &header, rate, Timestamp::from_ms(id));
        }
        assert!(chains.chains.len() <= MAX_CHAINS);
        assert!(chains.recent.len() <= InvocationRate::MAX_INVOCATIONS as usize);
        assert!(chains.chains.iter().all(|c| c.request_ids.len() <= MAX_MEMBERS));
    }
}
