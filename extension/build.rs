//! How the program is linked.

#![allow(clippy::disallowed_macros, reason = "cargo reads what is printed")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // At a fixed address. Else the loader writes every table of pointers anew at each start, before the
    // first instruction of ours: 3,500 words of the lean program, 13,000 of the full one, on pages that are
    // read from the file and then kept as copies, and the list of them is a part of the file. What a random
    // address defends against are errors of memory, of which this program has few places: there is no unsafe
    // code of its own, and the stack, the heap and the libraries still lie anywhere. (Go's programs are
    // linked likewise.)
    println!("cargo::rustc-link-arg-bins=-no-pie");
}
