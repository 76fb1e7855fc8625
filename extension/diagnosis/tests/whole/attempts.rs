//! One line for each invocation and problem.

use crate::events::*;
use proptest::prelude::*;
use triage_diagnosis::*;

proptest! {
    #[test]
    fn one_line_for_each_invocation_and_problem(
        kinds in proptest::collection::vec((0usize..4, 0usize..3, any::<bool>()), 1..15)
    ) {
        let mut triage = triage(false);
        let mut lines = Vec::new();
        let mut now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut expected = 0;
        for (id, (errors, polls, repeats)) in kinds.iter().enumerate() {
            now = now.plus_ms(70_000);
            triage.handle_invoke(invoke(id, now), now);
            for _ in 0..*errors {
                triage.handle_record(log(KMS, now.plus_ms(5)), now);
                for _ in 0..*polls {
                    drain(&mut triage, now, &mut lines);
                }
            }
            triage.handle_record(done(id, Status::Failure, now.plus_ms(9)), now);
            if *repeats {
                triage.handle_record(done(id, Status::Failure, now.plus_ms(9)), now);
            }
            expected += u64::from(*errors > 0);
        }
        triage.finish(now);
        drain(&mut triage, now, &mut lines);
        prop_assert_eq!(sum(&lines, "KmsErrors"), expected);
        prop_assert_eq!(sum(&lines, "Problems"), expected);
        let errors: usize = kinds.iter().map(|kind| kind.0).sum();
        prop_assert_eq!(occurrences(&lines), errors as u64);
    }
}
