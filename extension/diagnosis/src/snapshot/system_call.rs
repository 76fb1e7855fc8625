//! System calls by their number, on the architectures that Lambda has.

use serde::Deserialize;

/// Whose numbers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`
    X86_64,
    /// `arm64`, with the numbers that newer architectures share
    Arm64,
}

/// A system call that a thread waits in: what it says of what is waited for. A number is the
/// descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SystemCall {
    /// connect
    Connect(u32),
    /// read, recvfrom, recvmsg and their kin
    Receive(u32),
    /// write, sendto, sendmsg and their kin
    Send(u32),
    /// accept, accept4
    Accept(u32),
    /// poll, ppoll, select, pselect6: of which descriptors is in the process's memory
    Poll,
    /// `epoll_wait`, `epoll_pwait` and their kin, on this epoll descriptor
    EpollWait(u32),
    /// wait4, waitid: for a child
    WaitChild,
    /// futex: for another thread
    Futex,
    /// nanosleep, `clock_nanosleep`, pause
    Sleep,
    /// Calls on files: open, stat, fsync, getdents and their kin
    File,
    /// Any other, by its number.
    Other(u64),
}

/// What the arguments of a call say of what is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallArguments {
    /// How many descriptors are polled (poll, ppoll).
    pub polled: Option<u32>,
    /// Whether an event loop's wait ends by itself: a timer of its own runs (`epoll_wait` and its kin).
    pub is_timed: Option<bool>,
    /// The one child that is waited for (wait4, waitid).
    pub child: Option<u32>,
}

impl CallArguments {
    /// From a call's number and its first four arguments.
    #[must_use]
    pub fn from_number(number: u64, arguments: [u64; 4], architecture: Architecture) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "of an int the lower half")]
        let [first, second, _, fourth] = arguments.map(|argument| argument as u32);
        let as_pid = |id: u32| (1..=i32::MAX.cast_unsigned()).contains(&id).then_some(id);
        let none = Self::default();
        match (architecture, number) {
            // poll, ppoll
            (Architecture::X86_64, 7 | 271) | (Architecture::Arm64, 73) => {
                Self { polled: Some(second), ..none }
            }
            // epoll_wait, epoll_pwait: in ms, -1 for ever
            (Architecture::X86_64, 232 | 281) | (Architecture::Arm64, 22) => {
                Self { is_timed: Some(fourth != u32::MAX), ..none }
            }
            // epoll_pwait2: a pointer
            (_, 441) => Self { is_timed: Some(arguments[3] != 0), ..none },
            // wait4
            (Architecture::X86_64, 61) | (Architecture::Arm64, 260) => {
                Self { child: as_pid(first), ..none }
            }
            // waitid: of one process, where the first argument is P_PID
            (Architecture::X86_64, 247) | (Architecture::Arm64, 95) if first == 1 => {
                Self { child: as_pid(second), ..none }
            }
            _ => none,
        }
    }
}

impl SystemCall {
    /// From its number and its first argument, which is the descriptor where it takes one.
    #[must_use]
    pub fn from_number(number: u64, first: u64, architecture: Architecture) -> Self {
        // A descriptor is an int: of a register only its lower half counts.
        #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
        let descriptor = first as u32;
        match architecture {
            Architecture::X86_64 => Self::of_x86_64(number, descriptor),
            Architecture::Arm64 => Self::of_arm64(number, descriptor),
        }
    }

    fn of_x86_64(number: u64, descriptor: u32) -> Self {
        match number {
            42 => Self::Connect(descriptor),
            // read, pread64, readv, recvfrom, recvmsg, preadv, recvmmsg, preadv2
            0 | 17 | 19 | 45 | 47 | 295 | 299 | 327 => Self::Receive(descriptor),
            // write, pwrite64, writev, sendto, sendmsg, sendfile, pwritev, sendmmsg, pwritev2
            1 | 18 | 20 | 40 | 44 | 46 | 296 | 307 | 328 => Self::Send(descriptor),
            // accept, accept4
            43 | 288 => Self::Accept(descriptor),
            // poll, select, pselect6, ppoll
            7 | 23 | 270 | 271 => Self::Poll,
            // epoll_wait, epoll_pwait, epoll_pwait2
            232 | 281 | 441 => Self::EpollWait(descriptor),
            // wait4, waitid
            61 | 247 => Self::WaitChild,
            // futex, futex_waitv, futex_wait
            202 | 449 | 455 => Self::Futex,
            // pause, nanosleep, clock_nanosleep
            34 | 35 | 230 => Self::Sleep,
            // open, stat, fstat, lstat, access, fcntl (locks), flock, fsync, fdatasync, truncate,
            // ftruncate, getdents, chdir, rename to unlink, readlink, chmod to lchown
            2 | 4..=6 | 21 | 72..=78 | 80 | 82..=84 | 86..=95 => Self::File,
            // close, statfs, fstatfs, sync, setxattr to fremovexattr, getdents64, openat to
            // faccessat, utimensat, fallocate, sync_file_range, syncfs, renameat2, statx, openat2
            3
            | 137
            | 138
            | 162
            | 188..=199
            | 217
            | 257..=269
            | 277
            | 280
            | 285
            | 306
            | 316
            | 326
            | 332
            | 437
            | 439 => Self::File,
            number => Self::Other(number),
        }
    }

    fn of_arm64(number: u64, descriptor: u32) -> Self {
        match number {
            203 => Self::Connect(descriptor),
            // read, readv, pread64, preadv, recvfrom, recvmsg, recvmmsg, preadv2
            63 | 65 | 67 | 69 | 207 | 212 | 243 | 286 => Self::Receive(descriptor),
            // write, writev, pwrite64, pwritev, sendfile, sendto, sendmsg, sendmmsg, pwritev2
            64 | 66 | 68 | 70 | 71 | 206 | 211 | 269 | 287 => Self::Send(descriptor),
            // accept, accept4
            202 | 242 => Self::Accept(descriptor),
            // pselect6, ppoll
            72 | 73 => Self::Poll,
            // epoll_pwait, epoll_pwait2
            22 | 441 => Self::EpollWait(descriptor),
            // waitid, wait4
            95 | 260 => Self::WaitChild,
            // futex, futex_waitv, futex_wait
            98 | 449 | 455 => Self::Futex,
            // nanosleep, clock_nanosleep
            101 | 115 => Self::Sleep,
            // setxattr to fremovexattr, fcntl (locks), flock, mkdirat to renameat, statfs to
            // fchownat, openat, close, getdents64, readlinkat to fdatasync, sync_file_range,
            // utimensat, syncfs, renameat2, copy_file_range, statx, openat2, faccessat2
            5..=16
            | 25
            | 32
            | 34..=38
            | 43..=50
            | 52..=57
            | 61
            | 78..=84
            | 88
            | 267
            | 276
            | 285
            | 291
            | 437
            | 439 => Self::File,
            number => Self::Other(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SystemCall::{
        Accept, Connect, EpollWait, File, Futex, Other, Poll, Receive, Send, Sleep, WaitChild,
    };

    /// By the kernel's own tables: name, number on `x86_64` and on arm64, meaning.
    const CALLS: &[(&str, Option<u64>, Option<u64>, SystemCall)] = &[
        ("read", Some(0), Some(63), Receive(9)),
        ("pread64", Some(17), Some(67), Receive(9)),
        ("readv", Some(19), Some(65), Receive(9)),
        ("recvfrom", Some(45), Some(207), Receive(9)),
        ("recvmsg", Some(47), Some(212), Receive(9)),
        ("recvmmsg", Some(299), Some(243), Receive(9)),
        ("write", Some(1), Some(64), Send(9)),
        ("writev", Some(20), Some(66), Send(9)),
        ("sendto", Some(44), Some(206), Send(9)),
        ("sendmsg", Some(46), Some(211), Send(9)),
        ("sendmmsg", Some(307), Some(269), Send(9)),
        ("sendfile", Some(40), Some(71), Send(9)),
        ("connect", Some(42), Some(203), Connect(9)),
        ("accept", Some(43), Some(202), Accept(9)),
        ("accept4", Some(288), Some(242), Accept(9)),
        ("poll", Some(7), None, Poll),
        ("select", Some(23), None, Poll),
        ("pselect6", Some(270), Some(72), Poll),
        ("ppoll", Some(271), Some(73), Poll),
        ("epoll_wait", Some(232), None, EpollWait(9)),
        ("epoll_pwait", Some(281), Some(22), EpollWait(9)),
        ("epoll_pwait2", Some(441), Some(441), EpollWait(9)),
        ("wait4", Some(61), Some(260), WaitChild),
        ("waitid", Some(247), Some(95), WaitChild),
        ("futex", Some(202), Some(98), Futex),
        ("nanosleep", Some(35), Some(101), Sleep),
        ("clock_nanosleep", Some(230), Some(115), Sleep),
        ("pause", Some(34), None, Sleep),
        ("open", Some(2), None, File),
        ("openat", Some(257), Some(56), File),
        ("openat2", Some(437), Some(437), File),
        ("close", Some(3), Some(57), File),
        ("stat", Some(4), None, File),
        ("fstat", Some(5), Some(80), File),
        ("newfstatat", Some(262), Some(79), File),
        ("statx", Some(332), Some(291), File),
        ("access", Some(21), None, File),
        ("faccessat", Some(269), Some(48), File),
        ("faccessat2", Some(439), Some(439), File),
        ("fcntl", Some(72), Some(25), File),
        ("flock", Some(73), Some(32), File),
        ("fsync", Some(74), Some(82), File),
        ("fdatasync", Some(75), Some(83), File),
        ("getdents64", Some(217), Some(61), File),
        ("rename", Some(82), None, File),
        ("renameat", Some(264), Some(38), File),
        ("renameat2", Some(316), Some(276), File),
        ("mkdir", Some(83), None, File),
        ("unlink", Some(87), None, File),
        ("unlinkat", Some(263), Some(35), File),
        ("readlink", Some(89), None, File),
        ("readlinkat", Some(267), Some(78), File),
        ("statfs", Some(137), Some(43), File),
        ("getxattr", Some(191), Some(8), File),
        ("getcwd", Some(79), Some(17), Other(79)),
        ("mmap", Some(9), Some(222), Other(9)),
        ("madvise", Some(28), Some(233), Other(28)),
        ("gettid", Some(186), Some(178), Other(186)),
        ("io_getevents", Some(208), Some(4), Other(208)),
        ("dup", Some(32), Some(23), Other(32)),
        ("execve", Some(59), Some(221), Other(59)),
        ("ptrace", Some(101), Some(117), Other(101)),
    ];

    #[test]
    fn each_number_has_its_meaning_on_its_architecture() {
        for (name, x86_64, arm64, meaning) in CALLS {
            for (number, architecture) in
                [(x86_64, Architecture::X86_64), (arm64, Architecture::Arm64)]
            {
                let Some(number) = *number else { continue };
                let call = SystemCall::from_number(number, 0xffff_ffff_0000_0009, architecture);
                let expected = match meaning {
                    Other(_) => Other(number),
                    meaning => *meaning,
                };
                assert_eq!(call, expected, "{name} of {architecture:?}");
            }
        }
    }

    #[test]
    fn the_arguments_of_some_calls_say_more() {
        let of = CallArguments::from_number;
        let none = CallArguments::default();
        for (x86_64, arm64, arguments, expected) in [
            (271, 73, [0x7ffd, 1, 0, 8], CallArguments { polled: Some(1), ..none }),
            (281, 22, [9, 0x7ffd, 1, 0xffff_ffff], CallArguments { is_timed: Some(false), ..none }),
            (281, 22, [9, 0x7ffd, 1, 0], CallArguments { is_timed: Some(true), ..none }),
            (441, 441, [9, 0x7ffd, 1, 0], CallArguments { is_timed: Some(false), ..none }),
            (441, 441, [9, 0x7ffd, 1, 0x7ffd], CallArguments { is_timed: Some(true), ..none }),
            (61, 260, [40, 0x7ffd, 0, 0], CallArguments { child: Some(40), ..none }),
            (61, 260, [0xffff_ffff_ffff_ffff, 0, 0, 0], none),
            (61, 260, [0, 0, 0, 0], none),
            (247, 95, [1, 40, 0x7ffd, 4], CallArguments { child: Some(40), ..none }),
            (247, 95, [3, 40, 0x7ffd, 4], none),
            (0, 63, [7, 1, 1, 1], none),
        ] {
            assert_eq!(of(x86_64, arguments, Architecture::X86_64), expected, "{x86_64}");
            assert_eq!(of(arm64, arguments, Architecture::Arm64), expected, "{arm64}");
        }
        let polls = CallArguments { polled: Some(2), ..none };
        assert_eq!(of(7, [0x7ffd, 2, 0x1388, 0], Architecture::X86_64), polls);
        assert_eq!(of(232, [9, 0, 1, 0xffff_ffff], Architecture::X86_64).is_timed, Some(false));
    }
}
