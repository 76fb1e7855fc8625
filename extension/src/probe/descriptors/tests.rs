#![allow(clippy::disallowed_macros, reason = "a test says what it leaves out")]

use super::*;
use crate::probe::sockets::OwnEndpoints;
use crate::probe::tree::Tree;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Instant;
use triage_diagnosis::snapshot::TcpState;
use triage_diagnosis::snapshot::Thread;

const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// A line of a table, of a socket at a port of 10.0.3.7.
fn line(port: u16, state: u8, inode: u64, retransmits: u64) -> String {
    line_to("0703000A", port, state, inode, retransmits)
}

fn line_to(ip: &str, port: u16, state: u8, inode: u64, retransmits: u64) -> String {
    format!(
        "  15: 0100007F:D1B6 {ip}:{port:04X} {state:02X} 00000001:00000000 01:0000012C {retransmits:08X}     0        0 {inode} 2 000000001c2dd08d 800 0 0 1 7\n"
    )
}

fn process(pid: u32) -> Process {
    Process { pid, started_at_ticks: 30, ..Process::default() }
}

/// A process whose only thread is in that call, in that state.
fn waiting(pid: u32, state: char, waits_in: SystemCall) -> Process {
    let threads = vec![Thread { state, waits_in: Some(waits_in), ..Thread::default() }];
    Process { threads, ..process(pid) }
}

fn own() -> OwnEndpoints {
    OwnEndpoints::of("127.0.0.1:9001")
}

fn read(found: &mut OpenFound, tree: &Tree, begun: Instant) {
    let processes = [process(40), process(50)];
    read_of(found, tree, begun, &processes);
}

fn read_of(found: &mut OpenFound, tree: &Tree, begun: Instant, processes: &[Process]) {
    let sockets = Sockets::read(&mut tree.proc(), 40, &own(), begun);
    let mounts =
        [Mount { point: "/mnt/efs".to_owned(), fs_type: "nfs4".to_owned(), is_read_only: false }];
    found.read_awaited(&mut tree.proc(), processes, &sockets, &mounts);
    found.read_all(&mut tree.proc(), processes, &sockets, &mounts);
}

fn of_two() -> Tree {
    let tree = Tree::new();
    tree.process(40, 1, "python3", 30).process(50, 40, "convert", 30);
    tree
}

/// Two processes that share a socket.
fn tree() -> Tree {
    let tree = of_two();
    tree.link("40/fd/3", "socket:[900]").link("40/fd/4", "socket:[901]");
    tree.link("40/fd/5", "anon_inode:[eventpoll]").link("40/fd/6", "/mnt/efs/orders.db");
    tree.link("40/fd/7", "/tmp/x").link("40/fd/8", "pipe:[1]").link("40/fd/9", "socket:[902]");
    tree.link("50/fd/3", "socket:[900]").link("50/fd/11", "socket:[903]");
    tree.file("40/fdinfo/5", "pos:\t0\ntfd:        4 events:       1d data: 4\n");
    tree.file(
        "40/limits",
        "Max open files            1024                 4096                 files\n",
    );
    let api = line_to("0100007F", 9001, 1, 902, 0);
    let listens = line_to("00000000", 0, 10, 904, 0);
    tree.file("40/net/tcp", HEAD.to_owned() + &listens + &line(5432, 2, 900, 2) + &api);
    tree.file("40/net/udp", HEAD.to_owned() + &line(53, 1, 903, 0) + &line(443, 1, 999, 0));
    tree.file("40/net/tcp6", HEAD).file("40/net/udp6", HEAD);
    tree
}

#[test]
fn sockets_are_told_with_who_has_them_open() {
    let (tree, mut found) = (tree(), OpenFound::default());
    read(&mut found, &tree, Instant::now());
    let mut told: Vec<_> =
        found.open.sockets.iter().map(|s| (s.pid, s.descriptor, s.peer)).collect();
    told.sort_unstable();
    let peer = |text: &str| text.parse::<SocketAddr>().unwrap();
    // Not the one to the Runtime API, nor that of no process of the function.
    let expected = [
        (40, 3, peer("10.0.3.7:5432")),
        (50, 3, peer("10.0.3.7:5432")),
        (50, 11, peer("10.0.3.7:53")),
    ];
    assert_eq!(told, expected);
    assert_eq!(found.open.network_files, [(40, 6, "/mnt/efs".to_owned())]);
    let used =
        [Used { pid: 40, used: 7, limit: Some(1_024) }, Used { pid: 50, used: 2, limit: None }];
    assert_eq!(found.open.descriptors, used);
    assert!(!found.is_partial);
}

#[test]
fn an_epoll_set_is_told_at_what_it_watches() {
    let (tree, mut found) = (tree(), OpenFound::default());
    tree.file("40/net/tcp6", HEAD.to_owned() + &line(443, 1, 901, 0));
    read(&mut found, &tree, Instant::now());
    let epolls = |descriptor: u32| {
        let mut sockets = found.open.sockets.iter();
        let is_it = |s: &&Socket| s.pid == 40 && s.descriptor == descriptor;
        sockets.find(is_it).map(|socket| socket.epolls.clone())
    };
    assert_eq!((epolls(3), epolls(4)), (Some(vec![]), Some(vec![5])));
}

#[test]
fn a_second_reading_adds_to_the_first() {
    let (tree, mut found) = (tree(), OpenFound::default());
    let begun = Instant::now();
    read(&mut found, &tree, begun);
    tree.file("40/net/tcp", HEAD.to_owned() + &line(5432, 2, 900, 3) + &line(443, 1, 901, 0));
    std::thread::sleep(std::time::Duration::from_millis(1));
    read(&mut found, &tree, begun);
    let first = found.open.sockets.iter().find(|s| s.pid == 40 && s.descriptor == 3).unwrap();
    let retransmits: Vec<_> = first.states.iter().map(|state| state.retransmits).collect();
    assert_eq!(retransmits, [2, 3]);
    assert!(first.states[1].at_us > first.states[0].at_us);
    assert_eq!(first.states[0].state, TcpState::SynSent);
    assert_eq!(found.open.sockets.len(), 4, "with one that is new");
    assert_eq!(found.open.descriptors.len(), 2);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let (tree, mut found) = (tree(), OpenFound::default());
    tree.remove("40/fd/3").remove("40/net/tcp").remove("40/net/udp6").remove("40/limits");
    tree.file("40/fdinfo/5", [0xff; 300]).file("40/fd/12", "no link").file("40/fd/x", "");
    tree.file("40/net/tcp6", HEAD.to_owned() + "junk\n" + &line(443, 1, 901, 0)[..60]);
    read(&mut found, &tree, Instant::now());
    let pids: Vec<_> = found.open.sockets.iter().map(|s| (s.pid, s.descriptor)).collect();
    assert_eq!(pids, [(50, 11)]);
    assert_eq!(found.open.descriptors[0].limit, None);
    read_of(&mut found, &tree, Instant::now(), &[process(77)]);
    read_of(&mut found, &tree, Instant::now(), &[]);
}

/// What may not be read is not what is not there. (A folder in the place of a file, and the other way round,
/// is refused to root too.)
#[test]
fn what_may_not_be_read_is_said() {
    let refused: [(&str, &str); 4] = [
        ("40/fd", "file"),
        ("40/fd/12", "file"),
        ("40/net/udp", "folder"),
        ("40/fdinfo/5", "folder"),
    ];
    for (path, becomes) in refused {
        let (tree, mut found) = (tree(), OpenFound::default());
        read(&mut found, &tree, Instant::now());
        assert!(!found.is_partial);
        let at = tree.root().join(path);
        if at.is_dir() {
            std::fs::remove_dir_all(&at).unwrap();
        } else if at.exists() {
            std::fs::remove_file(&at).unwrap();
        }
        match becomes {
            "file" => std::fs::write(&at, "").unwrap(),
            _ => std::fs::create_dir(&at).unwrap(),
        }
        read(&mut found, &tree, Instant::now());
        assert!(found.is_partial, "{path}");
    }
    for (table, may_be_missing) in [("tcp", false), ("tcp6", true), ("udp", false), ("udp6", true)]
    {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.remove(&format!("40/net/{table}"));
        read(&mut found, &tree, Instant::now());
        assert_eq!(found.is_partial, !may_be_missing, "{table}");
    }
    // What has ended meanwhile is no loss.
    let (tree, mut found) = (tree(), OpenFound::default());
    std::fs::remove_dir_all(tree.root().join("40/fd")).unwrap();
    tree.remove("50/stat");
    read(&mut found, &tree, Instant::now());
    assert!(!found.is_partial);
}

#[test]
fn a_socket_that_may_send_anywhere_is_told_of() {
    for (has_one, inode) in [(true, 905), (false, 906)] {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.file("40/net/udp", HEAD.to_owned() + &line_to("00000000", 0, 7, inode, 0));
        tree.link("50/fd/12", "socket:[905]");
        read(&mut found, &tree, Instant::now());
        assert_eq!(found.open.has_unconnected, has_one);
        assert!(found.open.sockets.iter().all(|socket| socket.protocol == Protocol::Tcp));
    }
}

/// The socket's own port is 53686 in each line.
#[test]
fn a_connection_to_where_something_listens_was_made_by_the_other_end() {
    let listens = |ip: &str, state| {
        let line = line_to("00000000", 0, state, 904, 0);
        line.replace("0100007F:D1B6", &format!("{ip}:D1B6"))
    };
    let any_v6 = "0".repeat(32);
    for (table, listener, is_accepted) in [
        ("tcp", listens("00000000", 10), true),
        ("tcp", listens("0100007F", 10), true),
        ("tcp6", listens(&any_v6, 10), true),
        ("tcp", listens("0200007F", 10), false),
        ("tcp", listens("00000000", 7), false),
        ("udp", listens("00000000", 10), false),
    ] {
        let (tree, mut found) = (tree(), OpenFound::default());
        tree.file("40/net/tcp", HEAD.to_owned() + &line(39_562, 1, 900, 0));
        let before = std::fs::read_to_string(tree.root().join("40/net").join(table)).unwrap();
        tree.file(&format!("40/net/{table}"), before + &listener);
        read(&mut found, &tree, Instant::now());
        let socket = found.open.sockets.iter().find(|socket| socket.pid == 40).unwrap();
        assert_eq!(socket.is_accepted, is_accepted, "{table} {listener}");
    }
}

/// Whoever asks for them would wait for the locks that such a thread may hold.
#[test]
fn of_a_process_with_a_thread_that_cannot_be_interrupted_no_locks_are_taken() {
    for (state, is_read) in [('S', true), ('D', false)] {
        let (tree, mut found) = (tree(), OpenFound::default());
        let processes = [waiting(40, state, SystemCall::EpollWait(5))];
        tree.file("40/net/tcp6", HEAD.to_owned() + &line(443, 1, 901, 0));
        read_of(&mut found, &tree, Instant::now(), &processes);
        let socket = found.open.sockets.iter().find(|socket| socket.descriptor == 4).unwrap();
        assert_eq!(!socket.epolls.is_empty(), is_read, "{state}");
        // That is no loss where something else is looked for.
        assert!(!found.is_partial);
    }
}

/// A real connection, under the inode that it has.
#[test]
fn what_the_kernel_said_before_does_not_stand_for_what_it_would_say_now() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let link = std::fs::read_link(format!("/proc/self/fd/{}", here.as_raw_fd())).unwrap();
    let link = link.to_str().unwrap();
    let tree = of_two();
    tree.link("40/fd/3", link);
    let (port, peer) = (here.local_addr().unwrap().port(), here.peer_addr().unwrap().port());
    let inode = link.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
    let line = line_to("0100007F", peer, 1, inode, 0).replace("D1B6", &format!("{port:04X}"));
    tree.file("40/net/tcp", HEAD.to_owned() + &line).file("40/net/udp", HEAD);
    let mut found = OpenFound::default();
    let asleep = [waiting(40, 'S', SystemCall::Receive(3))];
    let ask = |found: &mut OpenFound, processes: &[Process]| {
        let sockets = Sockets::read(&mut tree.proc(), 40, &own(), Instant::now());
        found.read_all(&mut tree.proc(), processes, &sockets, &[]);
        found.add_last_moved(&tree.proc(), processes, &sockets, 0);
        found.open.sockets[0].last_sent_ms
    };
    if ask(&mut found, &asleep).is_none() {
        return println!("left out, as the kernel does not answer");
    }
    assert!(!found.is_partial);
    let stuck = [waiting(40, 'D', SystemCall::Receive(3))];
    assert_eq!(ask(&mut found, &stuck), None, "a lock may be held");
    assert!(!found.is_partial && ask(&mut found, &asleep).is_some());
    // The time is over before the kernel is asked again.
    let sockets = Sockets::read(&mut tree.proc(), 40, &own(), Instant::now());
    tree.budget.next_stage(Instant::now());
    found.add_last_moved(&tree.proc(), &asleep, &sockets, 0);
    assert_eq!((found.open.sockets[0].last_sent_ms, found.is_partial), (None, true));
}

#[test]
fn of_a_process_that_got_the_id_of_another_nothing_is_read() {
    let (tree, mut found) = (tree(), OpenFound::default());
    tree.process(40, 1, "other", 31);
    let processes = [waiting(40, 'S', SystemCall::Connect(3)), process(50)];
    read_of(&mut found, &tree, Instant::now(), &processes);
    assert!(found.open.sockets.iter().all(|socket| socket.pid == 50), "{found:?}");
    assert_eq!(found.open.descriptors.len(), 1);
}

#[test]
fn more_than_fits_is_left_out_and_that_is_said() {
    let (tree, mut found) = (of_two(), OpenFound::default());
    let count = MAX_SOCKETS as u32 + 10;
    let mut table = HEAD.to_owned();
    for n in 0..count {
        tree.link(&format!("40/fd/{n}"), &format!("socket:[{}]", 10_000 + n));
        table += &line(443, 1, u64::from(10_000 + n), 0);
    }
    tree.file("40/net/tcp", table);
    read(&mut found, &tree, Instant::now());
    assert_eq!((found.open.sockets.len(), found.is_partial), (MAX_SOCKETS, true));
    assert_eq!(found.open.descriptors[0].used, u64::from(count));
    // A table without an end.
    let (tree, mut found) = (of_two(), OpenFound::default());
    tree.link("40/fd/3", "socket:[900]");
    tree.file("40/net/tcp", line(443, 1, 1, 0).repeat(20_000) + &line(443, 1, 900, 0));
    read(&mut found, &tree, Instant::now());
    assert!(found.open.sockets.is_empty() && found.is_partial);
}

#[test]
fn what_threads_wait_for_is_read_first() {
    let (tree, mut found) = (tree(), OpenFound::default());
    tree.file("40/net/tcp6", HEAD.to_owned() + &line(443, 1, 901, 0));
    let waits = |waits_in| Thread { waits_in: Some(waits_in), ..Thread::default() };
    let threads = vec![waits(SystemCall::EpollWait(5)), waits(SystemCall::Connect(3))];
    let processes = [Process { threads, ..process(40) }];
    let sockets = Sockets::read(&mut tree.proc(), 40, &own(), Instant::now());
    found.read_awaited(&mut tree.proc(), &processes, &sockets, &[]);
    let told = |found: &OpenFound| {
        let sockets = found.open.sockets.iter();
        sockets.map(|s| (s.descriptor, s.epolls.clone(), s.states.len())).collect::<Vec<_>>()
    };
    assert_eq!(told(&found), [(4, vec![5], 1), (3, vec![], 1)]);
    // What is found again in the same reading is the same.
    found.read_all(&mut tree.proc(), &processes, &sockets, &[]);
    assert_eq!(told(&found), [(4, vec![5], 1), (3, vec![], 1)]);
}
