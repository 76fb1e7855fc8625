//! Files of one counter or limit a line: `/proc/net/snmp`, `/proc/meminfo`, `/proc/uptime`,
//! `/proc/PID/limits`.

/// How many TCP connections were begun, and refused or given up, since the network namespace began:
/// `ActiveOpens` and `AttemptFails` of `/proc/net/snmp`. It has a line of names for each protocol, and below
/// it one of values.
#[must_use]
pub fn parse_attempts(snmp: &str) -> Option<(u64, u64)> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let place = names.split(' ').position(|name| name == wanted)?;
        values.split(' ').nth(place)?.parse().ok()
    };
    Some((value("ActiveOpens")?, value("AttemptFails")?))
}

/// A line of `/proc/meminfo`, in KiB.
#[must_use]
pub fn parse_meminfo(meminfo: &str, name: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.trim_end().parse().ok()
}

/// How long the machine has run, in clock ticks: from `/proc/uptime`, which holds it in seconds and
/// hundredths of them. A clock tick is a hundredth on all of Lambda's architectures.
#[must_use]
pub fn parse_uptime(uptime: &str) -> Option<u64> {
    let (seconds, rest) = uptime.split_once('.')?;
    let (hundredths, _) = rest.split_once(' ').filter(|(hundredths, _)| hundredths.len() == 2)?;
    let (seconds, hundredths): (u64, u64) = (seconds.parse().ok()?, hundredths.parse().ok()?);
    seconds.checked_mul(100)?.checked_add(hundredths)
}

/// A process's own limit (the soft one) by its name in `/proc/PID/limits`, such as `Max open files`.
/// None also where there is none.
#[must_use]
pub fn parse_limit(limits: &str, name: &str) -> Option<u64> {
    let value = limits.lines().find_map(|line| line.strip_prefix(name))?;
    // The name of another may begin the same.
    value.starts_with(' ').then(|| value.split_ascii_whitespace().next()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of Linux 6.18.
    const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
        Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets\n\
        Tcp: 1 200 120000 -1 4280287 1443017 2836890 159126\n\
        Udp: InDatagrams\nUdp: 7\n";
    const MEMINFO: &str = "MemTotal:       24684084 kB\nMemFree:         1000000 kB\n\
        MemAvailable:   23833728 kB\nHugePages_Total:       0\n";
    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max processes             96365                96366                processes 
Max open files            1024                 20000                files     
Max nice priority         0                    0                    \n";

    #[test]
    fn refused_connections_are_counted() {
        assert_eq!(parse_attempts(SNMP), Some((4_280_287, 2_836_890)));
        let newer = SNMP.replace("RtoMin ", "New RtoMin ").replace(" 200 ", " 5 200 ");
        assert_eq!(parse_attempts(&newer), Some((4_280_287, 2_836_890)));
        for bad in ["", "Tcp: AttemptFails", "Tcp: AttemptFails\nTcp: 1", "Tcp: X\nTcp: 1\n"] {
            assert_eq!(parse_attempts(bad), None, "{bad}");
        }
    }

    #[test]
    fn memory_is_read() {
        assert_eq!(parse_meminfo(MEMINFO, "MemAvailable"), Some(23_833_728));
        assert_eq!(parse_meminfo(MEMINFO, "MemTotal"), Some(24_684_084));
        for none in ["Mem", "HugePages_Total", "SwapTotal"] {
            assert_eq!(parse_meminfo(MEMINFO, none), None, "{none}");
        }
        assert_eq!(parse_meminfo("MemTotal: 24684", "MemTotal"), None, "cut");
    }

    #[test]
    fn the_time_since_the_machine_began_is_in_ticks() {
        assert_eq!(parse_uptime("34532.95 67012.30\n"), Some(3_453_295));
        assert_eq!(parse_uptime("0.07 0.00\n"), Some(7));
        for bad in ["", "3", "3.1 4", "3.12", "x.12 4", "3.-1 4", "99999999999999999999.00 1"] {
            assert_eq!(parse_uptime(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_limit_is_the_soft_one() {
        assert_eq!(parse_limit(LIMITS, "Max open files"), Some(1024));
        assert_eq!(parse_limit(LIMITS, "Max processes"), Some(96_365));
        for none in ["Max cpu time", "Max", "Max open file", "Max threads"] {
            assert_eq!(parse_limit(LIMITS, none), None, "{none}");
        }
    }
}
