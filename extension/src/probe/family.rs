//! Which of the processes that can be seen are the function's.
//!
//! Lambda starts the runtime and each extension as children of one process. So the function's are
//! the siblings of this one that are no extensions, and all that descends from them.

use std::path::{Path, PathBuf};
use triage_diagnosis::snapshot::Stat;

/// Names of extensions' processes that are kept.
const MAX_NAMES: usize = 32;
/// What `comm` holds of a name.
const COMM_BYTES: usize = 15;
/// Where Lambda's own runtimes and the function's code are.
const RUNTIME_FOLDERS: [&str; 3] = ["/var/runtime", "/var/lang", TASK_FOLDER];
/// Where the function's code is.
const TASK_FOLDER: &str = "/var/task";

/// The function's processes, and who else is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    /// The runtime first, then what descends from it, then the rest.
    pub(super) members: Vec<Stat>,
    /// The names of other extensions' processes.
    pub(super) other_extensions: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of its executable is known that it is a runtime.
    Runtime,
    Other,
    /// Below /opt, where layers are: a runtime, or an extension that calls another program.
    Layer,
    /// It is called as an extension is.
    Namesake,
    Extension,
}

/// Of all processes those of the function. `extension_names` are those that the platform tells,
/// `link` says where a process's links `exe` and `cwd` lead, if that may be known; `with_api` which of
/// several processes, the oldest first, have a connection to the Runtime API, and is asked where nothing
/// else tells.
pub(super) fn family(
    own: &Stat,
    all: Vec<Stat>,
    extension_names: &[String],
    mut link: impl FnMut(u32, &str) -> Option<PathBuf>,
    with_api: impl FnOnce(&[u32]) -> Vec<u32>,
) -> Family {
    let own_executable = link(own.id, "exe");
    // What lost its parent goes to the first process, or to none that can be seen.
    let is_parent_first = own.parent_pid <= 1;
    let is_sibling = |stat: &Stat| {
        stat.id != own.id
            && stat.id != own.parent_pid
            && stat.id > 1
            && (stat.parent_pid == own.parent_pid || is_parent_first && stat.parent_pid <= 1)
    };
    let mut kinds: Vec<(usize, Kind)> = Vec::new();
    for (place, stat) in all.iter().enumerate().filter(|(_, stat)| is_sibling(stat)) {
        let path = link(stat.id, "exe");
        kinds
            .push((place, kind(stat, path.as_deref(), own_executable.as_deref(), extension_names)));
    }
    // An extension may be called as a runtime is: then it is not known which is which.
    if kinds.iter().all(|(_, kind)| matches!(kind, Kind::Namesake | Kind::Extension)) {
        for (_, kind) in &mut kinds {
            if *kind == Kind::Namesake {
                *kind = Kind::Other;
            }
        }
    }
    let is_candidate = |kind: Kind| matches!(kind, Kind::Runtime | Kind::Other | Kind::Layer);
    let of = |kind| kinds.iter().filter(move |(_, k)| *k == kind).map(|(place, _)| *place);
    let started = |place: &usize| (all[*place].started_at_ticks, all[*place].id);
    let runtimes: Vec<usize> = of(Kind::Runtime).collect();
    // An extension may use the runtime's interpreter, but only the function begins in its folder. Of
    // several there, what descends from the runtime and lost its parent began later.
    let mut is_elsewhere = |place: usize| {
        runtimes.len() > 1
            && !link(all[place].id, "cwd").is_some_and(|f| f.starts_with(TASK_FOLDER))
    };
    let runtime = runtimes.iter().copied().min_by_key(|p| (is_elsewhere(*p), started(p)));
    let mut is_known = runtime.is_some();
    let runtime = runtime.or_else(|| {
        let candidates = kinds.iter().filter(|(_, kind)| is_candidate(*kind));
        let mut candidates: Vec<usize> = candidates.map(|(place, _)| *place).collect();
        candidates.sort_unstable_by_key(started);
        let ids: Vec<u32> = candidates.iter().map(|place| all[*place].id).collect();
        let with_api = if ids.len() > 1 { with_api(&ids) } else { Vec::new() };
        is_known = !with_api.is_empty();
        let has_api = |place: usize| with_api.contains(&all[place].id);
        candidates.into_iter().max_by_key(|place| (has_api(*place), started(place)))
    });
    for (place, kind) in &mut kinds {
        // Lambda starts the runtime after the extensions, and what lost its parent is younger too.
        let is_older = runtime.is_some_and(|runtime| started(place) < started(&runtime));
        if is_older && (*kind == Kind::Layer || is_known && *kind == Kind::Other) {
            *kind = Kind::Extension;
        }
    }
    let mut family = Family::default();
    let extensions = kinds.iter().filter(|(_, kind)| !is_candidate(*kind));
    family.other_extensions =
        extensions.take(MAX_NAMES).map(|(place, _)| all[*place].name.clone()).collect();
    // Where the parent is not the first of all processes, it may have other children, but none that lost
    // their parents.
    let may_be_left = |kind: Kind| is_parent_first && is_candidate(kind);
    let rest = kinds.iter().filter(|(_, kind)| may_be_left(*kind)).map(|(place, _)| *place);
    let roots: Vec<usize> =
        runtime.into_iter().chain(rest.filter(|p| Some(*p) != runtime)).collect();
    family.members = with_descendants(all, roots);
    family
}

fn kind(
    stat: &Stat,
    executable: Option<&Path>,
    own_executable: Option<&Path>,
    extension_names: &[String],
) -> Kind {
    let is_below = |folder: &str| executable.is_some_and(|path| path.starts_with(folder));
    if is_below("/opt/extensions") || executable.is_some() && executable == own_executable {
        return Kind::Extension;
    }
    let is_named = |name: &String| {
        let name = &name.as_bytes()[..name.len().min(COMM_BYTES)];
        !name.is_empty() && name == stat.name.as_bytes()
    };
    if extension_names.iter().any(is_named) {
        return Kind::Namesake;
    }
    if RUNTIME_FOLDERS.iter().any(|folder| is_below(folder)) {
        return Kind::Runtime;
    }
    if is_below("/opt") { Kind::Layer } else { Kind::Other }
}

/// Each root, followed by all that descends from it.
fn with_descendants(all: Vec<Stat>, roots: Vec<usize>) -> Vec<Stat> {
    let mut all: Vec<Option<Stat>> = all.into_iter().map(Some).collect();
    let mut members = Vec::new();
    for root in roots {
        let begin = members.len();
        members.extend(all[root].take());
        let mut next = begin;
        while next < members.len() {
            let (id, started): (u32, u64) = (members[next].id, members[next].started_at_ticks);
            // A child is no older, or the id was given to another process between two readings.
            let is_child = |stat: &Stat| stat.parent_pid == id && stat.started_at_ticks >= started;
            members.extend(all.iter_mut().filter_map(|stat| stat.take_if(|stat| is_child(stat))));
            next += 1;
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(id: u32, parent_pid: u32, name: &str, started_at_ticks: u64) -> Stat {
        let name = name.to_owned();
        Stat { id, parent_pid, name, state: 'S', threads: 1, started_at_ticks, ..Stat::default() }
    }

    /// Of these processes, with their executables where they are known, beside the extension 20: who
    /// is of the function, and who is another extension.
    fn told(processes: &[(u32, u32, &str, u64, &str)], names: &[&str]) -> (Vec<u32>, Vec<String>) {
        told_from(1, processes, names)
    }

    fn told_from(
        parent: u32,
        processes: &[(u32, u32, &str, u64, &str)],
        names: &[&str],
    ) -> (Vec<u32>, Vec<String>) {
        let own = stat(20, parent, "lambda-triage", 10);
        let mut all = vec![stat(1, 0, "init", 0), own.clone()];
        all.extend(processes.iter().map(|(id, parent, name, at, _)| stat(*id, *parent, name, *at)));
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let link = |id, link: &str| match (id, link) {
            (20, "exe") => Some(PathBuf::from("/opt/extensions/lambda-triage")),
            (_, "exe") => {
                let path = processes.iter().find(|process| process.0 == id)?.4;
                (!path.is_empty()).then(|| PathBuf::from(path))
            }
            // The process 41 alone is where the function begins.
            (id, _) => Some(PathBuf::from(if id == 41 { "/var/task" } else { "/" })),
        };
        // The processes 42 and 32 alone have a connection.
        let with_api =
            |ids: &[u32]| ids.iter().copied().filter(|id| [42, 32].contains(id)).collect();
        let family = family(&own, all, &names, link, with_api);
        (family.members.iter().map(|member| member.id).collect(), family.other_extensions)
    }

    const RUNTIME: (u32, u32, &str, u64, &str) =
        (40, 1, "python3.12", 30, "/var/lang/bin/python3.12");

    fn named(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn the_function_is_the_sibling_that_is_no_extension_and_its_descendants() {
        let processes = [
            (30, 1, "datadog-agent", 12, "/opt/extensions/datadog-agent"),
            (31, 30, "helper", 13, "/usr/bin/helper"),
            RUNTIME,
            (51, 50, "convert", 33, "/usr/bin/convert"),
            (50, 40, "sh", 32, "/usr/bin/sh"),
        ];
        assert_eq!(told(&processes, &[]), (vec![40, 50, 51], named("datadog-agent")));
    }

    #[test]
    fn a_script_is_told_by_its_name_and_whatever_its_interpreter() {
        let name = "my-long-named-extension";
        for exe in ["/usr/bin/bash", "/var/lang/bin/python3.12", ""] {
            let processes = [(30, 1, &name[..15], 12, exe), RUNTIME];
            assert_eq!(told(&processes, &[name]), (vec![40], named(&name[..15])), "{exe}");
        }
    }

    #[test]
    fn an_extension_that_becomes_another_program_is_told_by_its_age_and_place() {
        let processes = [(30, 1, "node", 12, "/opt/agent/bin/node"), RUNTIME];
        assert_eq!(told(&processes, &[]), (vec![40], named("node")));
        let processes = [
            (30, 1, "python3", 12, "/var/lang/bin/python3.12"),
            (41, 1, "python3", 30, "/var/lang/bin/python3.12"),
        ];
        assert_eq!(told(&processes, &[]).0[0], 41, "the function begins in its folder");
        // A runtime of a layer's own is younger than any extension.
        let processes =
            [(30, 1, "node", 12, "/opt/agent/bin/node"), (40, 1, "php", 30, "/opt/bin/php")];
        assert_eq!(told(&processes, &[]), (vec![40], named("node")));
    }

    #[test]
    fn in_an_image_of_ones_own_an_extension_is_told_by_its_age() {
        // It called an interpreter, and is connected to the same address as the runtime.
        let processes = [
            (32, 1, "python3", 12, "/usr/bin/python3"),
            (33, 1, "sh", 13, "/bin/sh"),
            (42, 1, "node", 30, "/usr/local/bin/node"),
            (60, 1, "worker", 50, "/tmp/worker"),
        ];
        let others = vec!["python3".to_owned(), "sh".to_owned()];
        assert_eq!(told(&processes, &[]), (vec![42, 60], others));
        // Where none is connected, nobody is left out.
        let processes = [(33, 1, "sh", 13, "/bin/sh"), (43, 1, "node", 30, "/usr/local/bin/node")];
        assert_eq!(told(&processes, &[]), (vec![43, 33], vec![]));
    }

    #[test]
    fn what_lost_its_parent_follows_the_runtime() {
        let processes = [RUNTIME, (60, 1, "worker", 50, "/tmp/worker"), (61, 60, "sub", 51, "")];
        assert_eq!(told(&processes, &[]), (vec![40, 60, 61], vec![]));
        // Without a runtime's executable the newest is taken for it, and none is left out.
        let processes = [(40, 1, "bootstrap", 30, ""), (60, 1, "worker", 50, "")];
        assert_eq!(told(&processes, &[]), (vec![60, 40], vec![]));
    }

    #[test]
    fn a_runtime_that_is_called_as_an_extension_is_still_the_function() {
        let processes = [(40, 1, "bootstrap", 30, "/bin/bash")];
        assert_eq!(told(&processes, &["bootstrap"]), (vec![40], vec![]));
    }

    #[test]
    fn nobody_above_and_no_kin_of_others_is_the_function() {
        // In a local Lambda the parent is an ordinary process among others.
        let processes = [
            (5, 1, "bash", 1, "/bin/bash"),
            (6, 5, "lambda-sandbox", 2, "/usr/bin/lambda-sandbox"),
            (40, 6, "python3", 30, "/usr/bin/python3"),
            (70, 1, "sshd", 3, "/usr/sbin/sshd"),
        ];
        assert_eq!(told_from(6, &processes, &[]), (vec![40], vec![]));
        // With several children: that which talks to the API or, if none does, the newest.
        let others = [(40, 6, "a", 30, ""), (42, 6, "b", 31, ""), (43, 6, "c", 32, "")];
        assert_eq!(told_from(6, &others, &[]).0, [42]);
        assert_eq!(told_from(6, &[others[0], others[2]], &[]).0, [43]);
        // Where what lost its parent goes is not always visible.
        let processes = [(40, 0, "bootstrap", 30, ""), (60, 1, "worker", 50, "")];
        assert_eq!(told_from(0, &processes, &[]), (vec![60, 40], vec![]));
        assert_eq!(told(&[], &[]), (vec![], vec![]));
    }

    #[test]
    fn another_of_this_extension_is_an_extension() {
        let processes = [(30, 1, "lambda-triage", 12, "/opt/extensions/lambda-triage"), RUNTIME];
        assert_eq!(told(&processes, &[]), (vec![40], named("lambda-triage")));
    }

    #[test]
    fn a_process_that_got_the_id_of_a_parent_has_no_older_children() {
        let processes = [RUNTIME, (50, 40, "old", 20, ""), (51, 40, "young", 31, "")];
        assert_eq!(told(&processes, &[]).0, [40, 51]);
        // Nor does a circle of parents, read while ids were given anew, go round for ever.
        let processes = [RUNTIME, (50, 51, "a", 31, ""), (51, 50, "b", 31, "")];
        assert_eq!(told(&processes, &[]).0, [40]);
    }
}
