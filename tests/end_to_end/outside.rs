//! The companion outside: the real failure watcher as a function of the local Lambda, which gives it what
//! becomes of events in each shape that Lambda has for that.

use crate::environment::extension;
use demo::{Diagnosis, config};
use lambda_sandbox::{
    Deployment, Destination, EventInvokeConfig, Invocation, InvocationType, InvokeFailure,
    LambdaService, LogSource, MAXIMUM_EVENT_AGE, ResponseForm, ThrottleReason, cargo_bin,
};
use serde_json::{Value, json};
use std::time::Duration;

const FAILING: &str = "catalog";
const WATCHER: &str = "failure-watcher";

/// Where a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Function,
    Queue,
    Topic,
    EventBus,
    DeadLetterQueue,
    DeadLetterTopic,
}

const SHAPES: [Shape; 6] = [
    Shape::Function,
    Shape::Queue,
    Shape::Topic,
    Shape::EventBus,
    Shape::DeadLetterQueue,
    Shape::DeadLetterTopic,
];

impl Shape {
    fn destination(self) -> Destination {
        match self {
            Self::Function => Destination::Function(WATCHER.to_owned()),
            Self::Queue => Destination::Queue("failures".to_owned()),
            Self::Topic => Destination::Topic("failures".to_owned()),
            Self::EventBus => Destination::EventBus("default".to_owned()),
            Self::DeadLetterQueue => Destination::Queue("dead".to_owned()),
            Self::DeadLetterTopic => Destination::Topic("dead".to_owned()),
        }
    }

    fn is_dead_letter(self) -> bool {
        matches!(self, Self::DeadLetterQueue | Self::DeadLetterTopic)
    }
}

/// A failing function with the extension that tells its failures so, and the failure watcher.
async fn service(shapes: &[Shape], event_invoke_config: EventInvokeConfig) -> LambdaService {
    let service = LambdaService::start().await.unwrap();
    let mut failing = config(demo::problem_maker().unwrap(), extension());
    failing.function.name = FAILING.to_owned();
    let mut failing = Deployment::new(failing);
    failing.event_invoke_config = event_invoke_config;
    let mut watcher =
        config(vec![cargo_bin(WATCHER).unwrap().to_string_lossy().into_owned()], extension());
    watcher.extensions.clear();
    watcher.function.name = WATCHER.to_owned();
    watcher.function.timeout = Duration::from_secs(60);
    // A dead letter does not say whose it is.
    let whose = ("TRIAGE_DEAD_LETTERS".to_owned(), format!("dead={FAILING}"));
    watcher.function.env.push(whose);
    service.deploy(Deployment::new(watcher)).unwrap();
    for shape in shapes {
        let destination = shape.destination();
        if shape.is_dead_letter() {
            failing.dead_letter = Some(destination.clone());
        } else {
            failing.event_invoke_config.on_failure = Some(destination.clone());
        }
        if *shape != Shape::Function {
            service.subscribe(destination, WATCHER, 10);
        }
    }
    service.deploy(failing).unwrap();
    service
}

/// Sends an event that fails so for as long as Lambda tries; its request id.
async fn fail(service: &LambdaService, failure: InvokeFailure) -> String {
    service.fail(FAILING, failure, None).unwrap();
    let event = Invocation::new(r#"{"order":7}"#);
    let answer = service.invoke(FAILING, InvocationType::Event, event).await;
    assert_eq!(answer.status, 202, "{failure}");
    service.advance(MAXIMUM_EVENT_AGE).await.unwrap();
    service.recover(FAILING).unwrap();
    answer.request_id
}

/// What the failure watcher printed: JSON, whatever it is.
fn printed(service: &LambdaService) -> Vec<Diagnosis> {
    let printed = service.sandboxes(WATCHER).into_iter().flat_map(|sandbox| sandbox.log());
    let printed = printed.filter(|event| event.source == LogSource::Function);
    let read = |line: String| Diagnosis { json: serde_json::from_str(&line).unwrap(), line };
    printed.map(|event| read(event.text)).collect()
}

/// The same, where it is diagnoses and nothing else.
fn told(service: &LambdaService) -> Vec<Diagnosis> {
    let printed = printed(service);
    for line in &printed {
        assert!(!line.text("problem").is_empty(), "{}", line.line);
    }
    printed
}

/// Those failures that an event in the queue can meet, and what must be told of each.
fn failures() -> impl Iterator<Item = (InvokeFailure, &'static str, &'static str)> {
    let throttled = |reason| (InvokeFailure::Throttled(reason), "throttled", "Throttles");
    [
        (InvokeFailure::EfsMountFailure, "efs-mount-failure", "EfsFailures"),
        (InvokeFailure::EfsMountConnectivity, "efs-mount-connectivity", "EfsFailures"),
        (InvokeFailure::EfsMountTimeout, "efs-mount-timeout", "EfsFailures"),
        (InvokeFailure::KmsAccessDenied, "kms-access-denied", "KmsErrors"),
        (InvokeFailure::KmsDisabled, "kms-disabled", "KmsErrors"),
        (InvokeFailure::KmsInvalidState, "kms-invalid-state", "KmsErrors"),
        (InvokeFailure::KmsNotFound, "kms-not-found", "KmsErrors"),
        (InvokeFailure::Pending, "function-pending", "StateConflicts"),
        throttled(ThrottleReason::ConcurrentInvocationLimitExceeded),
        throttled(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded),
    ]
    .into_iter()
}

/// The line without what differs from one failure to the next: times and the request.
fn normalized(line: &Diagnosis) -> Value {
    let mut json = line.json.clone();
    json["timestamp"] = Value::Null;
    json["_aws"]["Timestamp"] = Value::Null;
    json["requestId"] = Value::Null;
    json
}

fn assert_outside(line: &Diagnosis, problem: &str, metric: &str, request_id: &str) {
    let fields = ["problem", "stage", "view"].map(|field| line.text(field));
    assert_eq!(fields, [problem, "confirmed", "outside"], "{}", line.line);
    assert_eq!(line.request_id(), request_id);
    assert_eq!(line.json["FunctionName"], FAILING);
    assert_eq!((&line.json[metric], &line.json["Problems"]), (&json!(1), &json!(1)));
    assert!(line.line.len() <= 4096 && !line.line.contains("\"order\""), "{}", line.line);
}

#[tokio::test]
async fn each_failure_is_told_alike_whatever_shape_it_comes_in() {
    let mut of_shapes = Vec::new();
    for shape in SHAPES {
        let service = service(&[shape], EventInvokeConfig::default()).await;
        let mut ids = Vec::new();
        for (failure, _, _) in failures() {
            ids.push(fail(&service, failure).await);
        }
        let told = told(&service);
        assert_eq!(told.len(), ids.len(), "{shape:?}: {told:#?}");
        for ((line, id), (_, problem, metric)) in told.iter().zip(&ids).zip(failures()) {
            assert_outside(line, problem, metric, id);
        }
        assert!(service.sandboxes(FAILING).is_empty(), "its own extension saw nothing");
        of_shapes.push((shape, told.iter().map(normalized).collect::<Vec<_>>()));
    }
    for (shape, lines) in &of_shapes {
        let like = if shape.is_dead_letter() { Shape::DeadLetterQueue } else { Shape::Function };
        let (_, expected) = of_shapes.iter().find(|(shape, _)| *shape == like).unwrap();
        for (line, expected) in lines.iter().zip(expected) {
            assert_eq!(line, expected, "{shape:?}");
        }
    }
}

/// A function may have a destination and a dead-letter queue, and delivery is at least once.
#[tokio::test]
async fn a_failure_that_is_told_in_two_ways_counts_once() {
    for shapes in [
        [Shape::Queue, Shape::DeadLetterQueue],
        [Shape::EventBus, Shape::DeadLetterTopic],
        [Shape::Function, Shape::DeadLetterQueue],
        [Shape::Topic, Shape::DeadLetterTopic],
    ] {
        let service = service(&shapes, EventInvokeConfig::default()).await;
        let id = fail(&service, InvokeFailure::EfsMountFailure).await;
        let told = told(&service);
        assert_eq!(told.len(), 1, "{shapes:?}: {told:#?}");
        assert_outside(&told[0], "efs-mount-failure", "EfsFailures", &id);
        for shape in shapes {
            assert_eq!(service.messages(&shape.destination()).len(), 1, "{shape:?}");
        }
    }
}

#[tokio::test]
async fn a_mixture_in_one_batch_is_told_item_by_item() {
    let once = EventInvokeConfig { maximum_retry_attempts: 0, ..EventInvokeConfig::default() };
    let service = service(&[Shape::Queue], once).await;
    let mut sent = Vec::new();
    // None is read before all are there: they wait for the clock.
    let mixture = [InvokeFailure::EfsMountTimeout, InvokeFailure::Pending].repeat(3);
    for failure in &mixture {
        let answer = service.invoke(FAILING, InvocationType::Event, Invocation::new("{}")).await;
        service.fail(FAILING, *failure, Some(1)).unwrap();
        sent.push(answer.request_id);
    }
    service.advance(Duration::ZERO).await.unwrap();
    let told = told(&service);
    let ids: Vec<_> = told.iter().map(Diagnosis::request_id).collect();
    assert_eq!(ids, sent);
    let problems: Vec<_> = told.iter().map(|line| line.text("problem")).collect();
    assert_eq!(problems, ["efs-mount-timeout", "function-pending"].repeat(3));
    let invoked: usize = service
        .sandboxes(WATCHER)
        .iter()
        .map(|sandbox| sandbox.log().iter().filter(|e| e.text.starts_with("START")).count())
        .sum();
    assert_eq!(invoked, 1, "one batch");
    assert_eq!(service.left_in_queue(&Shape::Queue.destination()), 0, "all of it is done");
}

/// What a record tells of such failures AWS does not document.
#[tokio::test]
async fn the_problem_is_told_as_far_as_the_record_tells_it() {
    for form in ResponseForm::ALL {
        let settings = EventInvokeConfig { response_form: form, ..EventInvokeConfig::default() };
        let service = service(&[Shape::Queue], settings).await;
        let id = fail(&service, InvokeFailure::KmsDisabled).await;
        let printed = printed(&service);
        let [line] = &printed[..] else { panic!("{form:?}: {printed:#?}") };
        match form {
            // That it failed is known, and with which status; not why.
            ResponseForm::ContextAlone | ResponseForm::Absent => {
                assert_eq!(
                    (line.request_id(), &line.json["FunctionName"]),
                    (&*id, &json!(FAILING))
                );
                assert!(line.line.contains("EventAgeExceeded"), "{}", line.line);
                let problems = line.metrics().iter().any(|(name, _)| name == "Problems");
                assert!(!problems && line.text("stage") != "confirmed", "{}", line.line);
            }
            _ => assert_outside(line, "kms-disabled", "KmsErrors", &id),
        }
    }
}

/// A status that stands for one problem alone is enough; one that does so in all likelihood, for a suspicion.
#[tokio::test]
async fn of_a_status_alone_what_it_stands_for_is_told() {
    let alone = EventInvokeConfig {
        response_form: ResponseForm::ContextAlone,
        ..EventInvokeConfig::default()
    };
    let service = service(&[Shape::Queue], alone).await;
    let throttled = InvokeFailure::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded);
    for (failure, problem, stage) in [
        (InvokeFailure::Pending, "function-pending", "suspected"),
        (throttled, "throttled", "confirmed"),
    ] {
        fail(&service, failure).await;
        let told = told(&service);
        let line = told.last().unwrap();
        let fields = ["problem", "stage", "view"].map(|field| line.text(field));
        assert_eq!(fields, [problem, stage, "outside"], "{}", line.line);
    }
}

/// Nothing in a dead letter of SQS or SNS says whose it is.
#[tokio::test]
async fn a_dead_letter_that_nobody_assigned_is_told_without_a_function() {
    for shape in [Shape::DeadLetterQueue, Shape::DeadLetterTopic] {
        let service = service(&[], EventInvokeConfig::default()).await;
        let mut failing = config(demo::problem_maker().unwrap(), extension());
        failing.function.name = FAILING.to_owned();
        let unassigned = match shape {
            Shape::DeadLetterQueue => Destination::Queue("lost".to_owned()),
            _ => Destination::Topic("lost".to_owned()),
        };
        let dead_letter = Some(unassigned.clone());
        service.deploy(Deployment { dead_letter, ..Deployment::new(failing) }).unwrap();
        service.subscribe(unassigned, WATCHER, 10);
        let id = fail(&service, InvokeFailure::EfsMountFailure).await;
        let told = told(&service);
        let [line] = &told[..] else { panic!("{shape:?}: {told:#?}") };
        assert_eq!(line.text("problem"), "efs-mount-failure");
        assert_eq!(line.request_id(), id);
        let named = line.json["FunctionName"].as_str().unwrap_or_default();
        assert!(named.is_empty(), "{shape:?}: {}", line.line);
    }
}

/// What `cargo demo` shows: the caller's diagnosis and the one outside, of the same failure.
#[tokio::test]
async fn both_views_of_one_failure_are_told() {
    let outside = demo::Outside::new(extension()).await.unwrap();
    for scene in demo::outside_scenes() {
        let played = outside.play(&scene).await.unwrap();
        assert_eq!(scene.differences(&played), Vec::<String>::new(), "{played:#?}");
        assert_eq!(played.messages.len(), 1);
    }
    assert_eq!(outside.environments_of_callee(), 0);
    let metrics = outside.end().await;
    assert_eq!(metrics.rejected(), []);
    for function in [demo::CALLER, demo::CALLEE] {
        for (metric, value) in [("EfsFailures", 1.0), ("KmsErrors", 1.0), ("Problems", 2.0)] {
            let of_function = [("FunctionName", function)];
            assert_eq!(metrics.sum(demo::NAMESPACE, &of_function, metric), value, "{function}");
        }
    }
}
