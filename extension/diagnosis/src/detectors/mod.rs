//! All detectors, one file each. This file is generated from theirs by `cargo test`.

use crate::detector::Detector;

mod descriptors_exhausted;
mod dns_failure;
mod efs_access;
mod efs_io;
mod efs_mount_connectivity;
mod efs_mount_failure;
mod efs_mount_timeout;
mod extension_crash;
mod function_pending;
mod init_failure;
mod init_timeout;
mod invoke_access_denied;
mod kms_access_denied;
mod kms_disabled;
mod kms_invalid_state;
mod kms_not_found;
mod kms_throttled;
mod kms_unavailable;
mod kms_unusable;
mod near_timeout;
mod out_of_memory;
mod recursion;
mod response_too_large;
mod runtime_crash;
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
    &extension_crash::DETECTOR,
    &function_pending::DETECTOR,
    &init_failure::DETECTOR,
    &init_timeout::DETECTOR,
    &invoke_access_denied::DETECTOR,
    &kms_access_denied::DETECTOR,
    &kms_disabled::DETECTOR,
    &kms_invalid_state::DETECTOR,
    &kms_not_found::DETECTOR,
    &kms_throttled::DETECTOR,
    &kms_unavailable::DETECTOR,
    &kms_unusable::DETECTOR,
    &near_timeout::DETECTOR,
    &out_of_memory::DETECTOR,
    &recursion::DETECTOR,
    &response_too_large::DETECTOR,
    &runtime_crash::DETECTOR,
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
