//! All detectors, one file each. This file is generated from theirs by `cargo test`.

use crate::detector::Detector;

mod descriptors_exhausted;
mod dns_failure;
mod efs_access;
mod efs_io;
mod efs_mount_connectivity;
mod efs_mount_failure;
mod efs_mount_timeout;
mod function_pending;
mod invoke_access_denied;
mod kms_access_denied;
mod kms_disabled;
mod kms_invalid_state;
mod kms_not_found;
mod kms_throttled;
mod kms_unavailable;
mod kms_unusable;
mod near_timeout;
mod recursion;
mod s3_files_mount_connectivity;
mod s3_files_mount_failure;
mod s3_files_mount_timeout;
mod subnet_exhausted;
mod telemetry_dropped;
mod threads_exhausted;
mod throttled;
mod timeout;
mod tmp_full;

/// By the name of their problem.
pub(crate) const ALL: &[&Detector] = &[
    &descriptors_exhausted::DETECTOR,
    &dns_failure::DETECTOR,
    &efs_access::DETECTOR,
    &efs_io::DETECTOR,
    &efs_mount_connectivity::DETECTOR,
    &efs_mount_failure::DETECTOR,
    &efs_mount_timeout::DETECTOR,
    &function_pending::DETECTOR,
    &invoke_access_denied::DETECTOR,
    &kms_access_denied::DETECTOR,
    &kms_disabled::DETECTOR,
    &kms_invalid_state::DETECTOR,
    &kms_not_found::DETECTOR,
    &kms_throttled::DETECTOR,
    &kms_unavailable::DETECTOR,
    &kms_unusable::DETECTOR,
    &near_timeout::DETECTOR,
    &recursion::DETECTOR,
    &s3_files_mount_connectivity::DETECTOR,
    &s3_files_mount_failure::DETECTOR,
    &s3_files_mount_timeout::DETECTOR,
    &subnet_exhausted::DETECTOR,
    &telemetry_dropped::DETECTOR,
    &threads_exhausted::DETECTOR,
    &throttled::DETECTOR,
    &timeout::DETECTOR,
    &tmp_full::DETECTOR,
];
