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
/// `link` says where a process's links `exe` and `cwd` lead, if that may be known.
pub(super) fn family(
    own: &Stat,
    all: Vec<Stat>,
    extension_names: &[String],
    mut link: impl FnMut(u32, &str) -> Option<PathBuf>,
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
    let runtime = runtime.or_else(|| {
        let candidates = kinds.iter().filter(|(_, kind)| is_candidate(*kind));
        candidates.map(|(place, _)| *place).max_by_key(started)
    });
    for (place, kind) in &mut kinds {
        // Lambda starts the runtime after the extensions.
        let is_older = runtime.is_some_and(|runtime| started(place) < started(&runtime));
        if *kind == Kind::Layer && is_older {
            *kind = Kind::Extension;
        }
    }
    let mut family = Family::default();
    let extensions = kinds.iter().filter(|(_, kind)| !is_candidate(*kind));
    family.other_extensions =
        extensions.take(MAX_NAMES).map(|(place, _)| all[*place].name.clone()).collect();
    let rest = kinds.iter().filter(|(_, kind)| is_candidate(*kind)).map(|(place, _)| *place);
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
