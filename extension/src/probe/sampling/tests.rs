use super::super::tree::{INIT, Tree, stat};
use super::*;
use crate::probe::thread::STACK_BYTES;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use triage_diagnosis::snapshot::SystemCall;

/// Enough for all stages on a busy machine.
const AMPLE: Duration = Duration::from_millis(1_500);

/// What is handed over of a look at this, on as little stack as it has.
fn sampled(tree: &Tree, left: Duration) -> Vec<Snapshot> {
    sampled_by(Scene::default(), tree, left)
}

fn sampled_by(scene: Scene, tree: &Tree, left: Duration) -> Vec<Snapshot> {
    let (root, handed) = (tree.root().to_owned(), Arc::<Mutex<Vec<Snapshot>>>::default());
    let into = handed.clone();
    // Each line is written at once.
    scene.signals.written.store(true, Ordering::Relaxed);
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let sampling = thread.spawn(move || {
        sample(&root, &scene, left, |snapshot| into.lock().unwrap().push(snapshot));
    });
    sampling.unwrap().join().unwrap();
    Arc::into_inner(handed).unwrap().into_inner().unwrap()
}

/// Whatever it is, it is no more than that.
fn is_bounded(snapshot: &Snapshot) -> bool {
    let threads = |look: &Look| look.processes.iter().map(|p| p.threads.len()).sum::<usize>();
    let open = snapshot.open.as_ref();
    snapshot.looks.len() <= 2 + LOOKS.0
        && snapshot.looks.iter().all(|look| look.processes.len() <= 256 && threads(look) <= 1_280)
        && open.is_none_or(|open| open.sockets.len() <= 2_048 && open.network_files.len() <= 64)
        && snapshot.other_extensions.len() <= 32
}

/// A function that has done all that it may, and some things that no kernel would show.
fn hostile() -> Tree {
    let tree = Tree::new();
    tree.process(40, INIT, "a) R 1 1\n(b", 30);
    tree.file("40/stat", stat(40, "a) R 1 1\n(b", 'S', INIT, 4_000_000_000, 30));
    tree.file("40/task/40/syscall", "232 0x5 0x0 0x0 0x0 0x0 0x0 0x7ffd 0x7f00");
    for tid in 0..1_200 {
        tree.thread(40, 1_000 + tid, "((((", 'S', u64::MAX);
    }
    let watched = |n| format!("tfd: {n:8} events:       1d data: 4\n");
    tree.file("40/fdinfo/5", (0..20_000).map(watched).collect::<String>());
    tree.link("40/fd/5", "anon_inode:[eventpoll]")
        .link("40/fd/6", "6")
        .link("40/fd/7", "/\u{fffd}");
    let mut table = String::new();
    for n in 0..2_500 {
        let descriptor = 100 + n;
        tree.link(&format!("40/fd/{descriptor}"), &format!("socket:[{descriptor}]"));
        table += &format!(
            "  15: 0100007F:D1B6 0703000A:1538 01 FFFFFFFFFFFFFFFF:00000000 01:FFFFFFFF FFFFFFFF 0 0 {descriptor} 2 0\n"
        );
    }
    tree.file("40/net/tcp", table).file("40/net/udp", vec![b'x'; 3_000_000]);
    // Links in a circle, in the places of files and of folders.
    tree.link("40/net/tcp6", "tcp6").link("40/limits", "../40/limits").link("40/exe", "exe");
    tree.link("50", "50").link("51", ".").link("52/task", "../52").link("4294967296", "40");
    // A chain of processes, and two that are each other's parents.
    for pid in 0..300 {
        tree.process(500 + pid, if pid == 0 { 40 } else { 499 + pid }, "chain", 31);
    }
    tree.process(900, 901, "circle", 31).process(901, 900, "circle", 31);
    let mount = |n| format!("{n} 1 0:1 / /mnt/{n} rw - nfs4 127.0.0.1:/ rw\n");
    tree.file("self/mountinfo", (0..50_000).map(mount).collect::<String>());
    tree.file(
        "self/mountstats",
        "device 127.0.0.1:/ mounted on /a with fstype nfs4\n".repeat(9_000),
    );
    tree.file("self/net/snmp", "Tcp: ".repeat(500_000)).file("uptime", vec![0xff; 9_000]);
    tree.file("meminfo", "MemTotal: 99999999999999999999 kB\nMemAvailable: -1 kB\n");
    tree
}

#[test]
fn whatever_there_is_the_look_at_it_is_bounded_and_says_so() {
    let handed = sampled(&hostile(), AMPLE);
    assert!(!handed.is_empty());
    for snapshot in &handed {
        assert!(is_bounded(snapshot) && snapshot.is_partial);
        let runtime = &snapshot.looks[0].processes[0];
        assert_eq!((runtime.pid, runtime.name.as_str()), (40, "a) R 1 1\n(b"));
        #[cfg(target_arch = "x86_64")]
        assert_eq!(runtime.threads[0].waits_in, Some(SystemCall::EpollWait(5)));
        // A part of the mounts would say that the others are gone.
        assert!(snapshot.resources.as_ref().is_none_or(|resources| resources.mounts.is_none()));
    }
}

/// Each reader asks for the time: less is read then, and that is said.
#[test]
fn in_too_little_time_less_is_read() {
    let tree = hostile();
    for left_ms in [0, 1, 5, 20, 60] {
        for snapshot in sampled(&tree, Duration::from_millis(left_ms)) {
            assert!(is_bounded(&snapshot) && snapshot.is_partial, "{left_ms}");
        }
    }
    // Also where the time ends before any of it.
    tree.budget.next_stage(Instant::now());
    let mut proc = tree.proc();
    assert_eq!(mounts(&mut proc), None);
    let sockets = Sockets::read(&mut proc, 40, &OwnEndpoints::default(), Instant::now());
    assert!(!sockets.is_whole && sockets.get(100).is_none());
    let mut found = OpenFound::default();
    let processes = [triage_diagnosis::snapshot::Process {
        pid: 40,
        started_at_ticks: 30,
        ..Default::default()
    }];
    found.read_all(&mut proc, &processes, &sockets, &[]);
    assert!(found.is_partial && found.open.sockets.is_empty());
}

/// What computes may leave no CPU for more than that.
#[test]
fn what_computes_is_looked_at_again_before_what_is_open_is_read() {
    for (state, is_first) in [('R', true), ('S', false)] {
        let tree = Tree::new();
        tree.process(40, INIT, "python", 30).thread(40, 40, "python", state, 1_000);
        tree.file("40/stat", stat(40, "python", state, INIT, 1, 30));
        tree.file("self/net/snmp", "Tcp: ActiveOpens AttemptFails\nTcp: 1 7\n");
        let handed = sampled(&tree, AMPLE);
        let [_, second, ..] = handed.as_slice() else { panic!("{handed:?}") };
        assert_eq!(second.open.is_none() && second.looks.len() > LOOKS.0, is_first, "{second:?}");
        if is_first {
            assert_eq!(second.looks[1].refused_connections, Some(7));
        }
        // What has hardly any CPU for itself is left to it then.
        let handed = sampled_by(Scene { is_small: true, ..Scene::default() }, &tree, AMPLE);
        let is_read = handed.iter().any(|snapshot| snapshot.open.is_some());
        assert_eq!(is_read, !is_first, "{handed:?}");
    }
}

/// It runs whenever it is not waiting for memory, and all is read of it: its CPU is no matter.
#[test]
fn what_faults_while_it_computes_is_not_left_to_it() {
    let tree = Tree::new();
    tree.process(40, INIT, "python", 30).thread(40, 40, "python", 'R', 1_000);
    tree.file("40/stat", stat(40, "python", 'R', INIT, 1, 30));
    let root = tree.root().to_owned();
    let handed = Mutex::new(Vec::new());
    let scene = Scene { is_small: true, ..Scene::default() };
    scene.signals.written.store(true, Ordering::Relaxed);
    sample(&root, &scene, AMPLE, |snapshot| {
        let faulted = stat(40, "python", 'R', INIT, 1, 30).replacen(" 0 3 0 ", " 0 9 0 ", 1);
        tree.file("40/stat", faulted);
        handed.lock().unwrap().push(snapshot);
    });
    let handed = handed.into_inner().unwrap();
    assert_eq!(handed[1].looks[1].processes[0].major_faults, 9);
    assert!(handed.iter().any(|snapshot| snapshot.open.is_some()), "{handed:?}");
}
