//! `/proc/PID/stat` and `/proc/PID/task/TID/stat`.

/// What is taken of a process's or thread's `stat`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The id of the process or thread.
    pub id: u32,
    /// Its `comm`: 15 bytes at most, parentheses, blanks and line feeds among them.
    pub name: String,
    /// Its state (of a process: that of its first thread), as the kernel's letter.
    pub state: char,
    /// The parent's process id; 0 where that cannot be seen.
    pub parent_pid: u32,
    /// Major page faults so far: of a process those of all its threads.
    pub major_faults: u64,
    /// How many threads its process has.
    pub threads: u64,
    /// When it began, in clock ticks since the system did.
    pub started_at_ticks: u64,
    /// Resident memory in pages.
    pub resident_pages: Option<u64>,
}

// What stands after the name, counted from 0.
const STATE: usize = 0;
const PARENT_PID: usize = 1;
const MAJOR_FAULTS: usize = 9;
const THREADS: usize = 17;
const STARTED_AT: usize = 19;
const RESIDENT_PAGES: usize = 21;

impl Stat {
    /// From the whole of the file: `ID (NAME) STATE PARENT …`. The name ends at the last parenthesis.
    /// Fields that newer kernels add are at the end. None if it is cut before what is needed.
    #[must_use]
    pub fn parse(stat: &[u8]) -> Option<Self> {
        let open = stat.iter().position(|b| *b == b'(')?;
        let close = stat.iter().rposition(|b| *b == b')').filter(|close| *close > open)?;
        let id = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
        let fields = std::str::from_utf8(&stat[close + 1..]).ok()?;
        let mut parsed = Self {
            id,
            name: String::from_utf8_lossy(&stat[open + 1..close]).into_owned(),
            ..Self::default()
        };
        let mut is_whole = false;
        for (n, field) in fields.split_ascii_whitespace().enumerate() {
            match n {
                STATE => parsed.state = field.chars().next()?,
                PARENT_PID => parsed.parent_pid = field.parse().ok()?,
                MAJOR_FAULTS => parsed.major_faults = field.parse().ok()?,
                THREADS => parsed.threads = field.parse().ok()?,
                STARTED_AT => {
                    parsed.started_at_ticks = field.parse().ok()?;
                    is_whole = true;
                }
                RESIDENT_PAGES => parsed.resident_pages = field.parse().ok(),
                n if n > RESIDENT_PAGES => break,
                _ => {}
            }
        }
        is_whole.then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Linux 6.18.
    const CAT: &str = "30618 (cat) R 30613 30613 28124 0 -1 4194304 98 0 7 0 0 0 0 0 20 0 1 0 \
        3453295 3133440 358 18446744073709551615 93908132511744 93908132531625 140720823256784 0 0 \
        0 0 0 0 0 0 0 17 1 0 0 0 0 0 93908132547632 93908132549248 93908281544704 140720823257826 \
        140720823257846 140720823257846 140720823259115 0\n";

    #[test]
    fn a_process_is_read() {
        let expected = Stat {
            id: 30_618,
            name: "cat".into(),
            state: 'R',
            parent_pid: 30_613,
            major_faults: 7,
            threads: 1,
            started_at_ticks: 3_453_295,
            resident_pages: Some(358),
        };
        assert_eq!(Stat::parse(CAT.as_bytes()), Some(expected.clone()));
        let newer = CAT.trim_end().to_owned() + " 1 2 3 later\n";
        assert_eq!(Stat::parse(newer.as_bytes()), Some(expected));
    }

    #[test]
    fn a_name_may_be_anything() {
        for name in ["", ")", "a) S 1 (b", "x\ny\tz", "((((", ") R 9 9 9 9 9 9", "ä ö"] {
            let stat = CAT.replace("cat", name);
            let parsed = Stat::parse(stat.as_bytes()).unwrap();
            assert_eq!((parsed.name.as_str(), parsed.parent_pid), (name, 30_613));
        }
        let mut stat = CAT.as_bytes().to_vec();
        stat[7] = 0xff;
        assert_eq!(Stat::parse(&stat).unwrap().name, "\u{fffd}at");
    }

    #[test]
    fn what_is_cut_before_what_is_needed_is_nothing() {
        let whole = CAT.find("3133440").unwrap();
        for end in 0..CAT.len() {
            let parsed = Stat::parse(&CAT.as_bytes()[..end]);
            match end {
                // A number that is cut cannot be told from a whole one.
                _ if end > whole - 8 => assert!(parsed.is_some(), "{end}"),
                _ => assert_eq!(parsed, None, "{end}"),
            }
        }
        for bad in ["1 cat R 1", ")(", "x (cat) R 1", "-1 (a) R 1", "1 (a) R x 1 1 1 1 1 1 1 1"] {
            assert_eq!(Stat::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
