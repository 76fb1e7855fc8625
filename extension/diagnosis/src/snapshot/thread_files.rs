//! The small files of a thread: `schedstat`, `wchan`, `syscall`.

use super::system_call::{Architecture, CallArguments, SystemCall};

/// A wait channel's name is a function of the kernel's; longer ones are cut.
const MAX_NAME: usize = 64;

/// CPU time, and time that a CPU was waited for, both in nanoseconds: from `schedstat`, which holds
/// `CPU WAIT TIMESLICES`.
#[must_use]
pub fn parse_schedstat(schedstat: &[u8]) -> Option<(u64, u64)> {
    let mut numbers = std::str::from_utf8(schedstat).ok()?.split_ascii_whitespace();
    let mut number = || numbers.next()?.parse().ok();
    let times = (number()?, number()?);
    // The third shows that the second is whole.
    number().map(|_: u64| times)
}

/// The kernel's function that the thread waits in, from `wchan`. It holds `0` where the thread does
/// not wait or the kernel does not tell.
#[must_use]
pub fn parse_wchan(wchan: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(wchan).ok()?.trim_end_matches('\n');
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.".contains(&b);
    let is_told = !name.is_empty() && name != "0" && name.bytes().all(is_name);
    is_told.then(|| name[..name.len().min(MAX_NAME)].to_owned())
}

/// The system call that the thread waits in, and what its arguments say, from `syscall`: `NUMBER
/// ARGUMENT… SP PC`. It holds `running` for a thread that does not wait, and `-1` for one that waits outside
/// of any, as for a page of its memory.
#[must_use]
pub fn parse_syscall(
    syscall: &[u8],
    architecture: Architecture,
) -> Option<(SystemCall, CallArguments)> {
    let mut words = std::str::from_utf8(syscall).ok()?.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut arguments = [0; 4];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    // What follows shows that the last of them is whole.
    words.next()?;
    let call = SystemCall::from_number(number, arguments[0], architecture);
    Some((call, CallArguments::from_number(number, arguments, architecture)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse_schedstat(b"53611 45619 2\n"), Some((53_611, 45_619)));
        assert_eq!(parse_schedstat(b"1 2 3 4 5\n"), Some((1, 2)));
        for bad in [&b""[..], b"1\n", b"1 2", b"1 x 3", b"-1 2 3", b"99999999999999999999 1 1"] {
            assert_eq!(parse_schedstat(bad), None);
        }
    }

    #[test]
    fn a_wait_channel_is_a_name() {
        assert_eq!(parse_wchan(b"rpc_wait_bit_killable").as_deref(), Some("rpc_wait_bit_killable"));
        assert_eq!(parse_wchan(b"folio_wait_bit.isra.0\n").unwrap(), "folio_wait_bit.isra.0");
        assert_eq!(parse_wchan(&[b'a'; 4096]).unwrap().len(), MAX_NAME);
        for none in [&b"0"[..], b"0\n", b"", b"a b", b"\xff", b"/etc"] {
            assert_eq!(parse_wchan(none), None);
        }
    }

    #[test]
    fn a_system_call_is_read_with_its_descriptor() {
        let both = |text: &str| parse_syscall(text.as_bytes(), Architecture::X86_64);
        let parse = |text: &str| both(text).map(|(call, _)| call);
        let read =
            "0 0x3 0x7fa294ef8000 0x20000 0x7fa294f8bb60 0xffffffff 0x0 0x7ffdfb0918b8 0x7f\n";
        assert_eq!(parse(read), Some(SystemCall::Receive(3)));
        assert_eq!(
            parse("42 0x7 0x7ffd 0x10 0x0 0x0 0x0 0x7ffd 0x7f"),
            Some(SystemCall::Connect(7))
        );
        let polls = both("7 0x7ffd 0x1 0x7530 0x0 0x0 0x0 0x7ffd 0x7f");
        assert_eq!(polls.unwrap().1.polled, Some(1));
        for none in [
            "running\n",
            "-1 0x7ffd 0x7f\n",
            "",
            "0",
            "0 0x3",
            "0 3 4",
            "x 0x3 0x4",
            "0 0x3 0x4 0x5 0x6",
        ] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
