//! A Lambda function that causes a named problem on request.
//!
//! The event `{"problem": "timeout"}` names it; an event without a known name is answered with an
//! error that lists the names. [`problem::Cause`] says what each does, [`problem::Request`] which
//! optional fields there are.

mod problem;
mod sdk_error;
mod service_errors;
mod trace_header;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use problem::Request;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    // As a text: the runtime client logs errors in their Debug form.
    let request = Request::from_event(event.payload).map_err(|error| error.to_string())?;
    problem::cause(&request, &event.context).await
}
