//! Every scenario of the demonstration.

use crate::environment::{prove, rust};

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
    kms "kms"
    efs "efs"
    recursion "recursion"
    blind_recursion "blind-recursion"
}
