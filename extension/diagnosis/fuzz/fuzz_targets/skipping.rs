#![no_main]

#[path = "../../tests/whole/properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::holds("skipping", bytes));
