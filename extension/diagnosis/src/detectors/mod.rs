//! All detectors, one file each. This file is generated from theirs by `cargo test`.

use crate::detector::Detector;

mod efs_io;
mod efs_mount_connectivity;
mod efs_mount_failure;
mod efs_mount_timeout;
mod kms_access_denied;
mod kms_disabled;
mod kms_invalid_state;
mod kms_not_found;
mod kms_throttled;
mod kms_unavailable;
mod kms_unusable;
mod near_timeout;
mod recursion;
mod telemetry_dropped;
mod timeout;

/// By the name of their problem.
pub(crate) const ALL: &[&Detector] = &[
    &efs_io::DETECTOR,
    &efs_mount_connectivity::DETECTOR,
    &efs_mount_failure::DETECTOR,
    &efs_mount_timeout::DETECTOR,
    &kms_access_denied::DETECTOR,
    &kms_disabled::DETECTOR,
    &kms_invalid_state::DETECTOR,
    &kms_not_found::DETECTOR,
    &kms_throttled::DETECTOR,
    &kms_unavailable::DETECTOR,
    &kms_unusable::DETECTOR,
    &near_timeout::DETECTOR,
    &recursion::DETECTOR,
    &telemetry_dropped::DETECTOR,
    &timeout::DETECTOR,
];
