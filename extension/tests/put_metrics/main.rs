//! Metrics by PutMetricData, with the real extension in the local Lambda, AWS's SDK in it, and a server
//! that keeps metrics as CloudWatch does; another client (boto3) reads them back.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod faults;
mod figures;
mod ministack;
mod network;
mod proxy;
mod runs;
mod well;
