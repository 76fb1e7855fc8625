//! Every scenario of the demonstration.

use crate::environment::{prove, rust};
use demo::Trace;

macro_rules! tests {
    ($($test:ident $name:literal)*) => {
        $(#[tokio::test]
        async fn $test() {
            let scenarios = demo::scenarios();
            let scenario = scenarios.iter().find(|scenario| scenario.name == $name).unwrap();
            prove(rust(), scenario).await;
        })*

        #[test]
        fn none_is_left_out() {
            let names: Vec<_> = demo::scenarios().iter().map(|scenario| scenario.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

tests! {
    healthy "healthy"
    near_timeout "near-timeout"
    timeout "timeout"
    out_of_memory "out-of-memory"
    crash "crash"
    kms "kms"
    efs "efs"
    recursion "recursion"
    blind_recursion "blind-recursion"
}

/// The first version of Lineage, as older services write it.
#[tokio::test]
async fn recursion_told_by_the_first_version_of_lineage() {
    let scenarios = demo::scenarios();
    let mut scenario = scenarios.into_iter().find(|scenario| scenario.name == "recursion").unwrap();
    scenario.calls[0].trace = Trace::Given(
        "Root=1-6a3b1c2f-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0;\
         Lineage=68fd508a:1|a87bd80c:1",
    );
    prove(rust(), &scenario).await;
}
