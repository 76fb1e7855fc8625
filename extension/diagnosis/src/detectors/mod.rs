//! All detectors, one file each. This file is generated from theirs by `cargo test`.

use crate::detector::Detector;

mod efs_io;
mod efs_mount_connectivity;
mod efs_mount_failure;
mod efs_mount_timeout;
mod extension_crash;
mod init_failure;
mod init_timeout;
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
mod telemetry_dropped;
mod timeout;

/// By the name of their problem.
pub(crate) const ALL: &[&Detector] = &[
    &efs_io::DETECTOR,
    &efs_mount_connectivity::DETECTOR,
    &efs_mount_failure::DETECTOR,
    &efs_mount_timeout::DETECTOR,
    &extension_crash::DETECTOR,
    &init_failure::DETECTOR,
    &init_timeout::DETECTOR,
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
    &telemetry_dropped::DETECTOR,
    &timeout::DETECTOR,
];
